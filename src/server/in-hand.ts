/**
 * Requests whose handlers are at work, counted against the memory budget: of one connection, and of all of a server.
 * Knows bytes and who waits until there are fewer, not handlers.
 */
import type { Channel } from '../transport/contract.js'
import { type Leftover, Leftovers } from '../transport/leftovers.js'

/** What one takes beside its payload: its promise, its place in the line of replies and what its handler keeps. */
const REQUEST_COST = 512

/** A connection's are counted once they are so many more, or fewer, than it has told: telling is a call into the transport. */
const STEP_UP = 8 * 1024
const STEP_DOWN = 64 * 1024

/** Of all connections. Over half of the budget nobody begins another request while he has one in hand. */
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

/** Of one connection. */
export class InHand {
  /** Bytes of their payloads. */
  bytes = 0
  readonly #channel: Channel
  readonly #all: AllInHand
  #sum = 0
  #told = 0
  #leftover: Leftover | undefined = undefined

  constructor(channel: Channel, all: AllInHand) {
    this.#channel = channel
    this.#all = all
  }

  /** One more, of `size` bytes. False as {@link Channel.keep}. */
  take(size: number): boolean {
    this.bytes += size
    this.#sum += size + REQUEST_COST
    return this.#sum - this.#told < STEP_UP || this.#tell()
  }

  /** One fewer. */
  release(size: number): void {
    this.bytes -= size
    this.#sum -= size + REQUEST_COST
    const fewer = this.#told - this.#sum
    if (fewer >= STEP_DOWN || (this.#sum === 0 && fewer > 0)) this.#tell()
  }

  /** The connection is gone: its handlers work on, but for those that nobody can reach any more. */
  leave(): void {
    if (this.#told === 0) return
    const all = this.#all
    this.#leftover = all.leftovers.of(this, this.#told, (more) => all.add(more))
    all.add(-this.#told)
  }

  #tell(): boolean {
    const more = this.#sum - this.#told
    this.#told = this.#sum
    if (this.#leftover === undefined) this.#all.add(more)
    else this.#leftover.keep(more)
    return this.#channel.keep(more)
  }
}
