// Runner: takes tasks from a store, runs each with its time limit, and decides what follows: done, again later, or
// given up. It knows neither SQLite nor NATS.
import { setTimeout as delay } from 'node:timers/promises'
import { backOff } from '../back-off.js'

const DEFAULTS = { retries: 3, backOff: 500, timeLimit: 60_000 }
/** How often the end of a process may cut a task short before the task is suspected of causing it. */
const INTERRUPTIONS = 5

export class Runner {
  #loops = []
  #stopping = new AbortController()
  /** Called with (task, value 0 to 1) a few times a second. */
  onProgress = (_task, _value) => {}
  /** The store failed; the task stays where it is. */
  onError = (_error) => {}

  /**
   * @param {{next(): Promise<any>, settle(task: object, outcome: object): Promise<boolean>,
   *   progress(task: object, value: number): Promise<void>, stop(): void}} store
   * @param {import('./pool.js').Pool} pool
   * @param {Record<string, {retries?: number, backOff?: number, timeLimit?: number}>} definitions
   * @param {number} concurrency
   */
  constructor(store, pool, definitions, concurrency) {
    this.store = store
    this.pool = pool
    this.definitions = definitions
    this.concurrency = concurrency
  }

  start() {
    for (let i = 0; i < this.concurrency; i++) this.#loops.push(this.#loop())
  }

  async #loop() {
    for (;;) {
      try {
        const task = await this.store.next()
        if (!task) return
        const outcome = await this.#run(task)
        if (outcome) await this.store.settle(task, outcome)
      } catch (error) {
        this.onError(error)
        await delay(1000)
      }
    }
  }

  async #run(task) {
    const definition = this.definitions[task.name]
    if (!definition) return failed('UNKNOWN_TASK', `no task is called ${task.name}`, task.failures)
    if (task.attempts - 1 - task.failures >= INTERRUPTIONS)
      return failed('INTERRUPTED', `the process ended ${INTERRUPTIONS} times while this ran`, task.failures)
    const { timeLimit, ...retry } = { ...DEFAULTS, ...definition }
    const limit = AbortSignal.timeout(timeLimit)
    try {
      const result = await this.pool.run(task, {
        signal: AbortSignal.any([limit, this.#stopping.signal]),
        onProgress: (value) => this.#progress(task, value),
      })
      return { state: 'done', result }
    } catch (error) {
      // Cut short by our own end: it is begun again by whoever comes next.
      if (this.#stopping.signal.aborted) return undefined
      const reason = limit.aborted
        ? { code: 'TIME_LIMIT', msg: `ran longer than ${timeLimit} ms` }
        : { code: 'TASK_FAILED', msg: String(error?.message ?? error) }
      return this.#afterFailure(task, reason, retry)
    }
  }

  #afterFailure(task, { code, msg }, { retries, backOff: base }) {
    const failures = task.failures + 1
    if (failures > retries) return failed(code, msg, failures)
    return { state: 'waiting', failures, error: { code, msg }, runAt: Date.now() + backOff(failures, base) }
  }

  #progress(task, value) {
    this.onProgress(task, value)
    this.store.progress(task, value).catch(this.onError)
  }

  /** Begins nothing new, lets what runs go on for `patience` ms, then cuts it short. */
  async close(patience) {
    this.store.stop()
    const timer = setTimeout(() => this.#stopping.abort(), patience)
    await Promise.all(this.#loops)
    clearTimeout(timer)
    await this.pool.close()
  }
}

const failed = (code, msg, failures) => ({ state: 'failed', failures, error: { code, msg } })
