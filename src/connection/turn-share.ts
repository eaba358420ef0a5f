/**
 * What one turn of the event loop may spend on frames that have waited, all connections together. An `async` handler, a loop and a
 * stream take theirs one behind the other in microtasks, and the event loop does not get to anybody else before there is none left.
 * Knows a count, a clock and who waits for the next turn, not what they do then.
 *
 * Frames that arrive where none waits do not ask: whoever sends little is served beside any number of those who send much.
 */

/** Frames of a turn: enough that the turn itself costs little beside them. */
const MOST_FRAMES = 4096
/** The same for frames that cost much, ms; looked at behind so many of them. */
const MOST_MS = 4
const FRAMES_A_LOOK = 32
/** What one of many is given at least, so that going from one to the next costs little beside it. */
const LEAST_SHARE = 16

export class TurnShare {
  #left = MOST_FRAMES
  #taken = 0
  #began = 0
  #isLate = false
  /** The end of this turn is awaited. */
  #isOn = false
  /** Who goes on in a later turn, first come first served. */
  readonly #waiting: (() => void)[] = []

  /** Counts a frame that is dealt with now; false: not in this turn. */
  take(): boolean {
    if (!this.#isOn) this.#begin()
    if (this.#left === 0) return false
    this.#left--
    if (++this.#taken % FRAMES_A_LOOK === 0 && performance.now() - this.#began >= MOST_MS) {
      this.#isLate = true
      this.#left = 0
    }
    return true
  }

  /** Calls `goOn` in a turn that has frames to give, after `take` has said that this one has not. */
  later(goOn: () => void): void {
    this.#waiting.push(goOn)
  }

  #begin(): void {
    this.#isOn = true
    this.#isLate = false
    this.#left = MOST_FRAMES
    this.#began = performance.now()
    setImmediate(this.#next)
  }

  readonly #next = (): void => {
    this.#isOn = false
    const { length } = this.#waiting
    if (length === 0) return
    this.#begin()
    const most = Math.max(LEAST_SHARE, Math.floor(MOST_FRAMES / length))
    let left = MOST_FRAMES
    // Who is not done with his share comes behind those who have not had theirs.
    for (let i = 0; i < length && left > 0 && !this.#isLate; i++) {
      const share = Math.min(most, left)
      this.#left = share
      this.#waiting.shift()?.()
      left -= share - this.#left
    }
    this.#left = this.#isLate ? 0 : left
  }
}

/** There is one event loop in a thread, whatever servers and backends run on it. */
export const turnShare = new TurnShare()
