/** How long to wait before the next attempt to connect. Knows numbers only: no timers, no sockets. */

export interface BackOffOptions {
  /** First delay, ms. */
  readonly initial: number
  /** Longest delay, ms. */
  readonly max: number
  /** Share of a delay that is random, 0 to 1: clients that lost the same server do not come back in step. */
  readonly jitter: number
}

/** Delays that double from `initial` to `max`, each shortened by a random part of up to `jitter` of it. */
export class BackOff {
  readonly #options: BackOffOptions
  readonly #random: () => number
  #attempt = 0

  constructor(options: BackOffOptions, random: () => number = Math.random) {
    this.#options = options
    this.#random = random
  }

  /** Attempts since the last {@link reset}. */
  get attempt(): number {
    return this.#attempt
  }

  /** The delay before the next attempt, ms. */
  next(): number {
    const { initial, max, jitter } = this.#options
    const delay = Math.min(max, initial * 2 ** Math.min(this.#attempt++, 52))
    return delay * (1 - jitter * this.#random())
  }

  /**
   * A connection has proved useful: the next delay is the first again. That it was made proves nothing, since a server may
   * accept and close at once.
   */
  reset(): void {
    this.#attempt = 0
  }

  /** A connection was there for `ms`: for as long as the longest delay is as good as useful, and costs the server no more. */
  lasted(ms: number): void {
    if (ms >= this.#options.max) this.reset()
  }
}
