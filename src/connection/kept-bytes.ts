/**
 * Bytes that are kept of what a channel brought, counted against its memory budget. Knows a sum, not what is kept.
 */
import type { Channel } from '../transport/contract.js'

/** What is let go of is told in steps of this, because telling is a call into the transport. */
const STEP = 64 * 1024

export class KeptBytes {
  /** Bytes that are kept. */
  sum = 0
  readonly #channel: Channel
  #told = 0

  constructor(channel: Channel) {
    this.#channel = channel
  }

  /** After `sum` has changed: more at once, less in steps, nothing at once. False as {@link Channel.keep}. */
  tell(): boolean {
    const more = this.sum - this.#told
    if (more === 0 || (more < 0 && this.sum > 0 && -more < STEP)) return true
    this.#told = this.sum
    return this.#channel.keep(more)
  }
}
