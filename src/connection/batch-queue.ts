/**
 * Delivered frames that have to wait, oldest first: each batch in memory of its own, so that keeping it holds nobody
 * else's, and counted against the memory budget of the channel that brought it. Knows batches, not who waits for them.
 */
import type { FrameBatch } from '../codec/batch.js'
import type { Channel } from '../transport/contract.js'

/** What a batch takes beside its bytes and its table. */
const BATCH_COST = 512

export class BatchQueue {
  /** What they take in all. */
  bytes = 0
  readonly #channel: Channel
  readonly #batches: FrameBatch[] = []
  /** What each of them takes: one whose memory is transferred by who has frames of it says nothing of it any more. */
  readonly #sizes: number[] = []

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
    // Of tiny frames the table is the larger part.
    const size = own.bytes.length + own.table.byteLength + BATCH_COST
    this.#batches.push(own)
    this.#sizes.push(size)
    this.#count(size)
  }

  /** The first was dealt with. */
  shift(): void {
    const size = this.#sizes.shift()
    if (size === undefined) return
    this.#count(-size)
    this.#batches.shift()?.expire()
  }

  clear(): void {
    while (this.length > 0) this.shift()
  }

  #count(bytes: number): void {
    this.bytes += bytes
    this.#channel.keep(bytes)
  }
}
