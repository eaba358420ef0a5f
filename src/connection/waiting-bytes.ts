/**
 * Sizes of frames that wait in somebody's queue, oldest first, and their sum, counted against the memory budget of the
 * channel that brought them. Knows numbers, not frames.
 */
import type { Channel } from '../transport/contract.js'

/** What is taken is told in steps of this, because telling is a call into the transport. */
const STEP = 64 * 1024

export class WaitingBytes {
  /** Bytes that wait. */
  sum = 0
  readonly #channel: Channel
  #sizes: number[] = []
  #first = 0
  #told = 0

  constructor(channel: Channel) {
    this.#channel = channel
  }

  /** Frames that wait. */
  get count(): number {
    return this.#sizes.length - this.#first
  }

  add(size: number): void {
    this.#sizes.push(size)
    this.sum += size
  }

  /** The oldest were taken; `count` are left. */
  leave(count: number): void {
    while (this.count > count) this.sum -= this.#sizes[this.#first++]
    if (this.#first > 1024 || this.#first === this.#sizes.length) {
      this.#sizes = this.#sizes.slice(this.#first)
      this.#first = 0
    }
    this.tell()
  }

  /** After some were added. */
  tell(): void {
    const more = this.sum - this.#told
    if (more <= 0 && this.sum > 0 && -more < STEP) return
    if (more === 0) return
    this.#told = this.sum
    this.#channel.keep(more)
  }
}
