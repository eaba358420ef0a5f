/** The bytes that all channels of one listener or client hold together. Knows sums, not whose bytes they are. */
export class Budget {
  readonly limit: number
  #held = 0

  constructor(limit: number) {
    this.limit = limit
  }

  get held(): number {
    return this.#held
  }

  get isExceeded(): boolean {
    return this.#held > this.limit
  }

  /** Half of it is left when `bytes` more are held. */
  hasPlenty(bytes: number): boolean {
    return 2 * (this.#held + bytes) <= this.limit
  }

  /** A channel holds `bytes` more, or less. */
  change(bytes: number): void {
    this.#held += bytes
  }
}
