// Task store on SQLite: tasks wait here, are handed out one by one when they are due, and their end is recorded once.
// It knows rows and times; not how tasks are run.
import { EXPIRED } from '../tasks/task.js'

const LONGEST_TIMER = 2 ** 31 - 1
const KEEP_FINISHED = 24 * 3600_000

export class SqliteTasks {
  #waiting = []
  #timer
  #closed = false
  #unfinished = 0
  #database
  /** Called once for each task that has ended, when that is on disk. May be called again after a crash in between. */
  onEnd = async (_task) => {}
  onError = (_error) => {}

  constructor(database) {
    this.#database = database
    const prepare = (sql) => database.prepare(sql)
    this.sql = {
      insert: prepare(`insert into tasks (id, name, data, user, state, created_at, run_at, deadline)
        values (?, ?, ?, ?, 'waiting', ?, ?, ?)`),
      get: prepare('select * from tasks where id = ?'),
      due: prepare(
        `select * from tasks where state = 'waiting' and run_at <= ? order by run_at, rowid limit 1`,
      ),
      begin: prepare(
        `update tasks set state = 'running', attempts = attempts + 1 where id = ? and state = 'waiting'`,
      ),
      progress: prepare(`update tasks set progress = ? where id = ? and state = 'running' and attempts = ?`),
      again: prepare(`update tasks set state = 'waiting', run_at = ?, failures = ?, error = ?, progress = 0
        where id = ? and state = 'running' and attempts = ?`),
      end: prepare(`update tasks set state = ?, result = ?, error = ?, failures = ?, finished_at = ?,
        progress = case when ? = 'done' then 1 else progress end
        where id = ? and finished_at is null and attempts = ?`),
      announced: prepare('update tasks set announced = 1 where id = ?'),
      overdue: prepare(
        `select * from tasks indexed by tasks_deadline where state = 'waiting' and deadline <= ?`,
      ),
      nextDue: prepare(`select min(run_at) as at from tasks where state = 'waiting'`),
      nextDeadline: prepare(
        `select min(deadline) as at from tasks indexed by tasks_deadline where state = 'waiting' and deadline > 0`,
      ),
      list: prepare(`select * from tasks where state = coalesce(?, state)
        and user is coalesce(?, user) order by rowid desc limit ?`),
      prune: prepare('delete from tasks where finished_at < ? and announced = 1'),
    }
  }

  /** Takes up what an earlier process left: what it was running waits again, ends nobody heard of are told. */
  async open() {
    const database = this.#database
    database.exec(`update tasks set state = 'waiting', progress = 0 where state = 'running'`)
    const { n } = database.prepare('select count(*) as n from tasks where finished_at is null').get()
    this.#unfinished = n
    const unheard = database
      .prepare('select * from tasks where finished_at is not null and announced = 0')
      .all()
    for (const row of unheard) await this.#announce(row.id)
    this.#serve()
  }

  /** Tasks that have not ended. */
  get size() {
    return this.#unfinished
  }

  /** @param {import('../tasks/task.js').Task} task on disk when it resolves */
  async add(task) {
    const { id, name, data, user, createdAt, runAt, deadline } = task
    this.sql.insert.run(id, name, JSON.stringify(data), user, createdAt, runAt, deadline)
    this.#unfinished++
    // After the reply: whoever asked is waiting for it.
    setImmediate(() => this.#serve())
  }

  /** The next task that is due, marked as running. undefined: closed. */
  next() {
    if (this.#closed) return Promise.resolve(undefined)
    const task = new Promise((resolve) => this.#waiting.push(resolve))
    this.#serve()
    return task
  }

  #serve() {
    if (this.#closed) return
    const now = Date.now()
    for (const row of this.sql.overdue.all(now)) this.#end(toTask(row), EXPIRED).catch(this.onError)
    while (this.#waiting.length > 0) {
      const row = this.sql.due.get(now)
      if (!row) break
      this.sql.begin.run(row.id)
      const task = { ...toTask(row), state: 'running', attempts: row.attempts + 1 }
      this.#waiting.shift()(task)
    }
    this.#arm(now)
  }

  #arm(now) {
    clearTimeout(this.#timer)
    const due = this.#waiting.length > 0 ? this.sql.nextDue.get().at : null
    const at = Math.min(due ?? Infinity, this.sql.nextDeadline.get().at ?? Infinity)
    if (at === Infinity) return
    this.#timer = setTimeout(() => this.#serve(), Math.min(Math.max(at - now, 1), LONGEST_TIMER))
  }

  async progress(task, value) {
    this.sql.progress.run(value, task.id, task.attempts)
  }

  /**
   * Records how a try ended. Resolves to false when it had been recorded already.
   * @param {{state: 'done' | 'failed' | 'expired' | 'waiting', result?: unknown, error?: object, failures?: number,
   *   runAt?: number}} outcome
   */
  async settle(task, outcome) {
    if (outcome.state !== 'waiting') return this.#end(task, outcome)
    const { runAt, failures = task.failures, error } = outcome
    const { changes } = this.sql.again.run(runAt, failures, text(error), task.id, task.attempts)
    this.#serve()
    return changes === 1
  }

  async #end(task, { state, result, error, failures = task.failures }) {
    const { changes } = this.sql.end.run(
      ...[state, text(result), text(error), failures, Date.now(), state, task.id, task.attempts],
    )
    if (changes !== 1) return false
    this.#unfinished--
    await this.#announce(task.id)
    return true
  }

  async #announce(id) {
    await this.onEnd(toTask(this.sql.get.get(id)))
    this.sql.announced.run(id)
  }

  async get(id) {
    const row = this.sql.get.get(id)
    return row && toTask(row)
  }

  /** Newest first. @param {{state?: string, user?: string, limit: number}} filter */
  async list({ state, user, limit }) {
    return this.sql.list.all(state ?? null, user ?? null, limit).map(toTask)
  }

  prune() {
    this.sql.prune.run(Date.now() - KEEP_FINISHED)
  }

  /** Hands out nothing more. What runs may still be settled. */
  stop() {
    this.#closed = true
    clearTimeout(this.#timer)
    for (const resolve of this.#waiting.splice(0)) resolve(undefined)
  }

  async close() {
    this.stop()
  }
}

const text = (value) => (value === undefined || value === null ? null : JSON.stringify(value))
const value = (json) => (json === null ? null : JSON.parse(json))

/** @returns {import('../tasks/task.js').Task} */
function toTask(row) {
  return {
    id: row.id,
    name: row.name,
    data: value(row.data),
    user: row.user,
    state: row.state,
    createdAt: row.created_at,
    runAt: row.run_at,
    deadline: row.deadline,
    attempts: row.attempts,
    failures: row.failures,
    progress: row.progress,
    result: value(row.result),
    error: value(row.error),
    finishedAt: row.finished_at,
  }
}
