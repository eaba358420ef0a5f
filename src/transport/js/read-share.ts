/**
 * What one turn of the event loop spends on bytes that were read, all sockets of one js transport together: in 64 KiB there are
 * sixteen thousand empty frames, libuv reads a socket that always has more 32 times in a row, and it accepts one connection a
 * turn. Knows times and who waits, not sockets.
 *
 * Who sends little is dealt with when it comes: he is served beside any number of those who send much.
 */

/** Time of a turn from which on everybody waits who has more than a little; ms. */
const MOST_MS = 2
/** The same for who has a little, which is less than so much. */
const MOST_MS_FOR_LITTLE = 8
export const LITTLE_BYTES = 4096
/** What takes less is not counted in a turn that has nobody waiting: counting would cost more. */
const TRIFLE_MS = 0.05

export interface Waiting {
  /** Deals with some of what waits, and says so with {@link ReadShare.count}. */
  goOn(): void
}

export class ReadShare {
  #spent = 0
  /** The end of this turn is awaited. */
  #isOn = false
  /** First come, first served. */
  readonly #waiting: Waiting[] = []

  /** Something that was read has been dealt with, in `ms`. */
  count(ms: number): void {
    if (!this.#isOn && ms >= TRIFLE_MS) this.#begin()
    if (this.#isOn) this.#spent += ms
  }

  /** Whether this turn has time for so many bytes that were just read. */
  hasTimeFor(bytes: number): boolean {
    if (this.isLittle(bytes)) return this.#spent < MOST_MS_FOR_LITTLE
    return this.#spent < MOST_MS && this.#waiting.length === 0
  }

  isLittle(bytes: number): boolean {
    return bytes < LITTLE_BYTES
  }

  /** `who` goes on in a turn that has time. */
  later(who: Waiting): void {
    this.#waiting.push(who)
    this.#begin()
  }

  #begin(): void {
    if (this.#isOn) return
    this.#isOn = true
    setImmediate(this.#next)
  }

  readonly #next = (): void => {
    this.#isOn = false
    this.#spent = 0
    if (this.#waiting.length === 0) return
    this.#begin()
    while (this.#spent < MOST_MS) {
      const who = this.#waiting.shift()
      if (who === undefined) return
      who.goOn()
    }
  }
}
