/**
 * One timer for all deadlines of a client: set for the earliest, it looks at them all when it fires. Requests mostly
 * share one time limit, so a new deadline is hardly ever the earliest, and costs a comparison. Knows clocks only.
 */
import { deadlineTimer } from '../transport/time-limit.js'

export class Sweeper {
  readonly #sweep: (now: number) => number
  #timer: NodeJS.Timeout | undefined
  #at = Infinity

  /** `sweep` ends what is overdue and returns the earliest deadline that is left, or Infinity. */
  constructor(sweep: (now: number) => number) {
    this.#sweep = sweep
  }

  /** A deadline on the clock of `performance.now()`. */
  watch(deadline: number): void {
    if (deadline >= this.#at) return
    clearTimeout(this.#timer)
    this.#at = deadline
    // What is waited for keeps the process alive by itself, or is not meant to.
    const wait = Math.max(1, Math.ceil(deadline - performance.now()))
    this.#timer = deadlineTimer(wait, () => this.#fire()).unref()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#at = Infinity
  }

  #fire(): void {
    this.#at = Infinity
    const next = this.#sweep(performance.now())
    if (next !== Infinity) this.watch(next)
  }
}
