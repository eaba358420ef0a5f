/**
 * Frames that wait for a consumer that takes them one by one. They wait as they came, and are decoded when they are taken:
 * what they become may be many times their size, and nobody would count that. Reading stops while too much of them waits, and
 * taking while this turn of the event loop has had enough.
 */
import type { FrameBatch } from '../codec/batch.js'
import { Turn } from '../transport/turn-share.js'
import { BatchQueue } from './batch-queue.js'
import type { Connection } from './connection.js'

/** Reading stops from here on, and goes on when half of it is gone. */
const MOST_BYTES = 256 * 1024

export class WaitingFrames<In> {
  readonly #connection: Connection<In, unknown>
  readonly #batches: BatchQueue
  readonly #turn: Turn
  /** Of the oldest batch, the first frame that was not taken. */
  #next = 0
  #isFull = false

  /** @param goOn called when a frame may be taken that could not be in the turn before. */
  constructor(connection: Connection<In, unknown>, goOn: () => void) {
    this.#connection = connection
    this.#batches = new BatchQueue(connection.channel)
    this.#turn = new Turn(connection.channel.turnShare, goOn)
  }

  get isEmpty(): boolean {
    return this.#batches.length === 0
  }

  /** Keeps the frames of a borrowed batch from `from` on. */
  add(batch: FrameBatch, from: number): void {
    if (from === batch.length) return
    this.#batches.add(batch, from)
    if (this.#isFull || this.#batches.bytes < MOST_BYTES) return
    this.#isFull = true
    this.#connection.pause()
  }

  /** Bytes of the oldest frame's payload; there has to be one. */
  get nextSize(): number {
    const batch = this.#batches.first
    return batch.end(this.#next) - batch.start(this.#next)
  }

  /** Whether {@link take} may be called now. Where a frame waits and its turn has not come, `goOn` is called when it has. */
  mayTake(): boolean {
    return !this.isEmpty && this.#turn.take()
  }

  /**
   * What the oldest frame carries; {@link mayTake} has just said that there is one.
   * @throws {FrameError} `ERR_FRAME_SERIALIZATION`.
   */
  take(): In {
    const batch = this.#batches.first
    const payload = this.#connection.decode(batch, this.#next++)
    if (this.#next === batch.length) this.#shift()
    return payload
  }

  clear(): void {
    this.#batches.clear()
    this.#next = 0
  }

  #shift(): void {
    this.#batches.shift()
    this.#next = 0
    if (!this.#isFull || this.#batches.bytes > MOST_BYTES / 2) return
    this.#isFull = false
    this.#connection.resume()
  }
}
