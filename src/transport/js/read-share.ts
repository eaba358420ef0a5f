/**
 * How much the sockets of one js transport read in one turn of the event loop, all of them together: libuv reads a socket that
 * always has more 32 times in a row, and in as much there are half a million empty frames. Knows counts, not sockets. The native
 * transport does the same: `Hub::fair_read`.
 */

/** Frames and time of one turn from which on every socket reads once. */
const FAIR_FRAMES = 32 * 1024
const FAIR_MS = 16
/** What it then reads has about so many frames; fewer, the more there were. */
const FRAMES_EACH = 2048
const LEAST_FRAMES_EACH = 256
const LEAST_BYTES = 1024

export class ReadShare {
  #frames = 0
  #bytes = 0
  #ms = 0
  #isOn = false

  /** A socket has read, and this is what was in it. */
  count(frames: number, bytes: number, ms: number): void {
    if (!this.#isOn) {
      this.#isOn = true
      setImmediate(this.#next)
    }
    this.#frames += frames
    this.#bytes += bytes
    this.#ms += ms
  }

  /** Nobody reads a second time in this turn. */
  get isUsedUp(): boolean {
    return this.#frames >= FAIR_FRAMES || this.#ms >= FAIR_MS
  }

  /** Most bytes of the next read. */
  get most(): number {
    if (this.#frames < FAIR_FRAMES) return Number.POSITIVE_INFINITY
    const each = Math.max(LEAST_FRAMES_EACH, (FRAMES_EACH * FAIR_FRAMES) / this.#frames)
    return Math.max(LEAST_BYTES, Math.floor((this.#bytes / this.#frames) * each))
  }

  readonly #next = (): void => {
    this.#isOn = false
    this.#frames = this.#bytes = this.#ms = 0
  }
}
