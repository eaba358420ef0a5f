/** A worker as the supervisor sees it: started, ready, asked, drained, gone. Knows one child process. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { UsageError } from '../exit.js'
import { MAX_MS } from '../flags.js'
import type { FromWorker, ProcessStats, ServePlan, ToWorker } from './plan.js'

/** Where a child finds the listening socket: behind stdin, stdout, stderr and the channel to its supervisor. */
const SOCKET_FD = 4
/** How long loading the handler may take, ms. */
const START_TIMEOUT_MS = 30_000
/** A worker that does not say how it is within this time is left out, ms. */
const STATS_TIMEOUT_MS = 1000
/** Beyond the time for draining, before it is killed, ms. */
const KILL_GRACE_MS = 2000

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export class WorkerProcess {
  /** Resolves with the backend's name once it accepts connections; rejects when it ends before that. */
  readonly ready: Promise<string>
  readonly exited: Promise<Exit>
  readonly #child: ChildProcess
  readonly #plan: ServePlan
  readonly #questions = new Map<number, (stats: ProcessStats | undefined) => void>()
  #asked = 0
  #draining = false

  constructor(plan: ServePlan, socket: number, onProblem: (worker: WorkerProcess, text: string) => void) {
    this.#plan = plan
    const child = fork(fileURLToPath(new URL('./worker-main.js', import.meta.url)), [], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', socket],
    })
    this.#child = child
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }))
      // Could not be started at all.
      child.once('error', () => resolve({ code: null, signal: null }))
    })
    void this.exited.then(() => {
      for (const answer of this.#questions.values()) answer(undefined)
    })
    this.ready = this.#starting()
    child.on('message', (message: FromWorker) => {
      if (message.kind === 'stats') this.#questions.get(message.id)?.(message.stats)
      else if (message.kind === 'problem') onProblem(this, message.message)
    })
    this.#tell({ kind: 'start', plan, fd: SOCKET_FD })
  }

  /** undefined: it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid
  }

  /** It was told to end. */
  get draining(): boolean {
    return this.#draining
  }

  /** Resolves when it is gone; kills it when draining takes longer than it may. */
  async drain(): Promise<void> {
    this.#draining = true
    this.#tell({ kind: 'drain' })
    const patience = Math.min(this.#plan.drainTimeout + KILL_GRACE_MS, MAX_MS)
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), patience)
    await this.exited
    clearTimeout(timer)
  }

  /** undefined: no answer. */
  stats(): Promise<ProcessStats | undefined> {
    const id = ++this.#asked
    return new Promise((resolve) => {
      const answer = (stats: ProcessStats | undefined) => {
        clearTimeout(timer)
        this.#questions.delete(id)
        resolve(stats)
      }
      const timer = setTimeout(() => answer(undefined), STATS_TIMEOUT_MS)
      this.#questions.set(id, answer)
      if (!this.#tell({ kind: 'stats', id })) answer(undefined)
    })
  }

  #starting(): Promise<string> {
    const child = this.#child
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`the handler did not load within ${START_TIMEOUT_MS / 1000} s`))
        child.kill('SIGKILL')
      }, START_TIMEOUT_MS)
      child.on('message', (message: FromWorker) => {
        if (message.kind === 'failed') reject(asError(message))
        if (message.kind !== 'ready') return
        clearTimeout(timer)
        resolve(message.backend)
      })
      child.once('error', reject)
      void this.exited.then(({ code, signal }) => {
        clearTimeout(timer)
        reject(new Error(`the worker ended before it was ready (${signal ?? `exit code ${code}`})`))
      })
    })
  }

  #tell(message: ToWorker): boolean {
    if (!this.#child.connected) return false
    this.#child.send(message, () => undefined)
    return true
  }
}

function asError({ message, code, usage }: FromWorker & { kind: 'failed' }): Error {
  if (usage) return new UsageError(message)
  return Object.assign(new Error(message), code === undefined ? {} : { code })
}
