// Shelf: keys and values of the directory in SQLite. The NATS one beside it has the same methods.

export class SqliteShelf {
  constructor(database) {
    this.all = database.prepare('select key, value from directory')
    this.upsert = database.prepare(
      'insert into directory (key, value) values (?, ?) on conflict (key) do update set value = excluded.value',
    )
    this.delete = database.prepare('delete from directory where key = ?')
  }

  /** @param {(key: string, value?: object) => void} apply */
  async load(apply) {
    for (const { key, value } of this.all.all()) apply(key, JSON.parse(value))
  }

  async put(key, value) {
    this.upsert.run(key, JSON.stringify(value))
  }

  async remove(key) {
    this.delete.run(key)
  }

  /** Nobody else writes here: what is not in memory does not exist. */
  async get() {
    return undefined
  }
}
