/**
 * What all connections of a server have in hand of requests. Over half of the memory budget nobody begins another request while
 * he has one. Knows a sum and who waits until it is less.
 */
import { Leftovers } from '../transport/leftovers.js'

export class AllInHand {
  /** Of connections that are gone. */
  readonly leftovers = new Leftovers()
  readonly #share: number
  #bytes = 0
  /** Called when there are fewer again. */
  #waiting = new Set<() => void>()

  constructor(memoryBudget: number) {
    this.#share = memoryBudget / 2
  }

  get isFull(): boolean {
    return this.#bytes >= this.#share
  }

  add(bytes: number): void {
    const wasFull = this.isFull
    this.#bytes += bytes
    // Later, because this is inside of whoever lets go of one.
    if (wasFull && !this.isFull && this.#waiting.size > 0) setImmediate(() => this.#wake())
  }

  wait(goOn: () => void): void {
    this.#waiting.add(goOn)
  }

  leave(goOn: () => void): void {
    this.#waiting.delete(goOn)
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = new Set()
    for (const goOn of waiting) goOn()
  }
}
