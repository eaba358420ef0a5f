/**
 * Frames that cannot be delivered yet (no consumer chosen, paused, or a listener gone), and what happened to the
 * channel behind them. Knows copies and order, not who consumes them.
 */
import type { FrameBatch } from '../codec/batch.js'
import type { FrameError } from '../errors.js'

export class Held {
  /** Each in memory of its own, so that keeping them holds nobody else's. */
  readonly batches: FrameBatch[] = []
  /** First frame of `batches[0]` that was not delivered. */
  from = 0
  ended = false
  fault: FrameError | undefined
  /** The policy has heard of the fault. */
  reported = false

  add(batch: FrameBatch, from: number): void {
    this.batches.push(batch.detach(from))
  }
}
