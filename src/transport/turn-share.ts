/**
 * What one turn of the event loop may spend on frames that have waited, all connections of a transport together. An `async`
 * handler, a loop and a stream take theirs one behind the other in microtasks, and the event loop gets to nobody else before
 * there is none left. Knows a count, a clock and who waits for the next turn, not what they do then.
 *
 * Frames that arrive where none waits do not ask: whoever sends little is served beside any number of those who send much.
 */

/** Frames of a turn: enough that the turn itself costs little beside them. */
const MOST_FRAMES = 4096
/** The same for frames that cost much, ms. */
const MOST_MS = 4
/** What is given at a time, so that giving costs little beside it. */
const SHARE = 16

export class TurnShare {
  #left = MOST_FRAMES
  #began = 0
  #isLate = false
  /** The end of this turn is awaited. */
  #isOn = false
  /** Who goes on in a later turn, first come first served. */
  readonly #waiting: (() => void)[] = []

  /** How many frames may be dealt with now; 0: none in this turn. */
  take(): number {
    if (!this.#isOn) this.#begin()
    else if (performance.now() - this.#began >= MOST_MS) {
      this.#isLate = true
      this.#left = 0
    }
    const given = Math.min(SHARE, this.#left)
    this.#left -= given
    return given
  }

  /** Calls `goOn` in a turn that has frames to give, after `take` has said that this one has none. */
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
    const most = Math.max(SHARE, Math.floor(MOST_FRAMES / length))
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

/** What one of them has of it. */
export class Turn {
  readonly #share: TurnShare
  readonly #goOn: () => void
  /** Frames that were given and not taken. */
  #left = 0
  #isPutOff = false

  /** @param goOn called when a frame may be taken that could not be in the turn before. */
  constructor(share: TurnShare, goOn: () => void) {
    this.#share = share
    this.#goOn = () => {
      this.#isPutOff = false
      goOn()
    }
  }

  /** A frame that has waited may be dealt with now. Otherwise `goOn` is called when one may. */
  take(): boolean {
    if (this.#isPutOff) return false
    if (this.#left === 0) this.#left = this.#share.take()
    if (this.#left === 0) {
      this.#isPutOff = true
      this.#share.later(this.#goOn)
      return false
    }
    this.#left--
    return true
  }
}
