/** A connection's requests whose handlers are at work, counted against the memory budget. Knows bytes, not handlers. */
import type { Channel } from '../transport/contract.js'
import type { Leftover } from '../transport/leftovers.js'
import type { AllInHand } from './all-in-hand.js'

/** What one takes beside its payload: its promise, its place in the line of replies and what its handler keeps. */
const REQUEST_COST = 512

/** What a connection has fewer of is not counted, because counting is a call into the transport. Nor is one request below it. */
export const COUNTED_FROM = 8 * 1024
/** Fewer are told when they are so many fewer, or none. */
const STEP_DOWN = 64 * 1024

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
    return this.#sum - this.#told < COUNTED_FROM || this.#tell()
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
