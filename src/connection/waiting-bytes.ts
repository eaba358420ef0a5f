/**
 * Sizes of frames that wait in somebody's queue, oldest first, and their sum, counted against the memory budget of the
 * channel that brought them. Knows numbers, not frames.
 */
import { KeptBytes } from './kept-bytes.js'

export class WaitingBytes extends KeptBytes {
  #sizes: number[] = []
  #first = 0

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
}
