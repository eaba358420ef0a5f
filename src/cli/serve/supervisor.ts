/**
 * Keeps N workers on one socket: starts them, starts them again with back-off when they die, replaces them one by one,
 * drains them. Knows workers as processes, not what they serve.
 */
import { BackOff } from '../../client/back-off.js'
import type { Log } from './log.js'
import type { ProcessStats, ServePlan } from './plan.js'
import type { SharedSocket } from './shared-socket.js'
import { type Exit, WorkerProcess } from './worker-process.js'

const BACK_OFF = Object.freeze({ initial: 100, max: 10_000, jitter: 0.2 })
/** A worker that served this long has shown that it can: the next start is tried at once again, ms. */
const PROVEN_MS = 5000

/** One of the N places, whoever fills it. */
interface Place {
  readonly number: number
  readonly backOff: BackOff
  worker: WorkerProcess | undefined
  readySince: number | undefined
  timer: NodeJS.Timeout | undefined
}

export class Supervisor {
  readonly #plan: ServePlan
  readonly #socket: SharedSocket
  readonly #places: Place[]
  readonly #log: Log
  readonly #starting = new Set<WorkerProcess>()
  #stopping = false
  #restarts = 0
  /** Replacements are made one after the other, whoever asks. */
  #reloading: Promise<void> = Promise.resolve()

  constructor(plan: ServePlan, socket: SharedSocket, workers: number, log: Log) {
    this.#plan = plan
    this.#socket = socket
    this.#log = log
    this.#places = Array.from({ length: workers }, (_, i) => ({
      number: i + 1,
      backOff: new BackOff(BACK_OFF),
      worker: undefined,
      readySince: undefined,
      timer: undefined,
    }))
  }

  /** Workers that died and were started again. */
  get restarts(): number {
    return this.#restarts
  }

  /**
   * Resolves when every worker serves and the socket has its name. The first worker goes ahead, so that a handler that
   * cannot load is one error and not N, and so that nobody finds a path where nobody listens.
   * @throws what the handler module throws.
   */
  async start(): Promise<void> {
    const [first, ...others] = this.#places
    await this.#fill(first)
    await this.#socket.publish()
    await Promise.all(others.map((place) => this.#fill(place)))
  }

  /** Starts a new worker in each place and then drains the old one; a new one that does not start ends the replacing. */
  reload(): Promise<void> {
    this.#reloading = this.#reloading.then(() => this.#reload())
    return this.#reloading
  }

  /** Starts no further worker from the call on; drains all, those that are still starting too, and resolves when they are gone. */
  async stop(): Promise<void> {
    this.#stopping = true
    for (const { timer } of this.#places) clearTimeout(timer)
    const workers = [...this.#starting, ...this.#places.map(({ worker }) => worker)]
    await Promise.all(workers.map((worker) => worker?.drain()))
    await this.#reloading
  }

  async stats(): Promise<ProcessStats[]> {
    const answers = await Promise.all(this.#places.map(({ worker }) => worker?.stats()))
    return answers.filter((stats) => stats !== undefined)
  }

  async #reload(): Promise<void> {
    for (const place of this.#places) {
      if (this.#stopping) return
      try {
        await this.#fill(place)
      } catch (error) {
        const { message } = error as Error
        this.#log.event('reload-failed', `the new worker did not start, the old ones stay: ${message}`, {
          message,
        })
        return
      }
    }
    this.#log.event('reloaded', 'all workers were replaced')
  }

  /** Puts a new worker into `place` once it is ready, and only then drains the one that was there. */
  async #fill(place: Place): Promise<void> {
    const worker = new WorkerProcess(this.#plan, this.#socket.fd, ({ pid }, message) => {
      this.#log.event('problem', `worker ${pid}: ${message}`, { pid, message })
    })
    this.#starting.add(worker)
    let backend: string
    try {
      backend = await worker.ready
    } catch (error) {
      await worker.drain()
      throw error
    } finally {
      this.#starting.delete(worker)
    }
    // Drained by `stop`, which found it among those that start.
    if (this.#stopping) return
    clearTimeout(place.timer)
    const previous = place.worker
    place.worker = worker
    place.readySince = performance.now()
    const { pid } = worker
    const fields = { pid, place: place.number, backend, replaces: previous?.pid }
    this.#log.event(
      'worker-ready',
      `worker ${pid} serves (${place.number} of ${this.#places.length}, ${backend})`,
      fields,
    )
    void worker.exited.then((exit) => this.#gone(place, worker, exit))
    await previous?.drain()
  }

  #gone(place: Place, worker: WorkerProcess, { code, signal }: Exit): void {
    const { pid } = worker
    const how = signal ?? `exit code ${code}`
    if (worker.draining) {
      this.#log.event('worker-drained', `worker ${pid} has ended (${how})`, {
        pid,
        code: code ?? undefined,
        signal: signal ?? undefined,
      })
      return
    }
    this.#log.event('worker-died', `worker ${pid} died (${how})`, {
      pid,
      code: code ?? undefined,
      signal: signal ?? undefined,
    })
    // Replaced meanwhile: its place is filled.
    if (place.worker !== worker) return
    place.worker = undefined
    if (performance.now() - (place.readySince ?? 0) >= PROVEN_MS) place.backOff.reset()
    this.#startLater(place)
  }

  #startLater(place: Place): void {
    if (this.#stopping) return
    const delay = Math.round(place.backOff.next())
    this.#log.event('worker-restart', `starting a worker in ${delay} ms`, { place: place.number, delay })
    place.timer = setTimeout(() => {
      this.#restarts++
      this.#fill(place).catch((error: Error) => {
        this.#log.event('worker-failed', `the worker did not start: ${error.message}`, {
          message: error.message,
        })
        this.#startLater(place)
      })
    }, delay)
  }
}
