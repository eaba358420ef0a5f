/**
 * Delivered frames that have to wait, oldest first: each batch in memory of its own, so that keeping it holds nobody
 * else's, and counted against the memory budget of the channel that brought it. Knows batches, not who waits for them.
 */
import type { FrameBatch } from '../codec/batch.js'
import type { Channel } from '../transport/contract.js'

export class BatchQueue {
  readonly #channel: Channel
  readonly #batches: FrameBatch[] = []

  constructor(channel: Channel) {
    this.#channel = channel
  }

  get length(): number {
    return this.#batches.length
  }

  get first(): FrameBatch {
    return this.#batches[0]
  }

  /** Keeps the frames of a borrowed batch from `from` on. */
  add(batch: FrameBatch, from: number): void {
    const own = batch.detach(from)
    this.#batches.push(own)
    this.#channel.keep(own.bytes.length)
  }

  /** The first was dealt with. */
  shift(): void {
    const batch = this.#batches.shift()
    if (batch === undefined) return
    this.#channel.keep(-batch.bytes.length)
    batch.expire()
  }

  clear(): void {
    while (this.length > 0) this.shift()
  }
}
