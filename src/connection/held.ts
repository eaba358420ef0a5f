/**
 * Frames that cannot be delivered yet (no consumer chosen, paused, or a listener gone), and what happened to the
 * channel behind them. Knows copies and order, not who consumes them.
 */
import type { FrameError } from '../errors.js'
import type { Channel } from '../transport/contract.js'
import { BatchQueue } from './batch-queue.js'

export class Held {
  readonly batches: BatchQueue
  /** First frame of the first batch that was not delivered. */
  from = 0
  ended = false
  fault: FrameError | undefined
  /** The policy has heard of the fault. */
  reported = false

  constructor(channel: Channel) {
    this.batches = new BatchQueue(channel)
  }
}
