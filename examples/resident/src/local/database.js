// The one SQLite file of a resident process that is alone: its schema, and the lock that keeps it alone.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'libsql'

const SCHEMA = `
  create table if not exists tasks (
    id text primary key, name text not null, data text not null, user text,
    state text not null, created_at integer not null, run_at integer not null, deadline integer,
    attempts integer not null default 0, failures integer not null default 0,
    progress real not null default 0, result text, error text,
    finished_at integer, announced integer not null default 0
  );
  create index if not exists tasks_due on tasks (state, run_at);
  create index if not exists tasks_deadline on tasks (state, deadline);
  create index if not exists tasks_finished on tasks (finished_at) where finished_at is not null;
  create table if not exists events (
    id integer primary key autoincrement, once text unique, body text not null
  );
  create table if not exists directory (key text primary key, value text not null);
`

/** @param {string} folder  @throws SQLITE_BUSY when another process has it open */
export function openDatabase(folder) {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const database = new Database(join(folder, 'resident.db'), { timeout: 500 })
  database.pragma('locking_mode = EXCLUSIVE')
  database.pragma('journal_mode = WAL')
  // What was accepted survives the end of the process in any way; a power cut may cost the last moments.
  database.pragma('synchronous = NORMAL')
  database.exec(SCHEMA)
  return database
}
