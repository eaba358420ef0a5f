/**
 * Sends somebody waits for: each is a range of the channel's stream of accepted bytes and settles once, when the
 * kernel has all of it or never will. Knows byte counts, not frames or sockets.
 */
import { FrameError } from '../errors.js'
import type { Channel } from '../transport/contract.js'
import { LostErrors } from './lost-errors.js'

interface PendingSend {
  readonly start: number
  readonly end: number
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
  readonly abort: Abort | undefined
}

interface Abort {
  readonly signal: AbortSignal
  readonly listener: () => void
}

/** What one takes beside its frame, which may be nothing but a header. */
const SEND_COST = 512
/** They are counted against the memory budget so many at a time. */
const COUNTED_AT_ONCE = 16

export class PendingSends {
  /** They took more memory than the channel's budget has: it gets the fault in a moment, and takes no more of them. */
  overrun = false
  /** In the order of their bytes; those before `#first` are settled. */
  #queue: PendingSend[] = []
  #first = 0
  /** How many are counted. */
  #counted = 0

  get length(): number {
    return this.#queue.length - this.#first
  }

  /** A frame lies in bytes `start` to `end` of what `channel` has accepted. */
  add(channel: Channel, start: number, end: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = signal && { signal, listener: () => reject(signal.reason) }
      abort?.signal.addEventListener('abort', abort.listener, { once: true })
      this.#queue.push({ start, end, resolve, reject, abort })
      if (this.length === 1) channel.notifyWritten(end)
      this.#count(channel)
    })
  }

  /** Settles what the kernel has, and asks to be told of the next. */
  onWritten(channel: Channel): void {
    const written = channel.writtenBytes
    while (this.length > 0 && this.#queue[this.#first].end <= written) {
      const { abort, resolve } = this.#queue[this.#first++]
      abort?.signal.removeEventListener('abort', abort.listener)
      resolve()
    }
    this.#count(channel)
    if (this.length === 0) {
      this.#queue.length = 0
      this.#first = 0
      return
    }
    if (this.#first > 1024) {
      this.#queue = this.#queue.slice(this.#first)
      this.#first = 0
    }
    channel.notifyWritten(this.#queue[this.#first].end)
  }

  /** The channel is closed: bytes from `writtenBytes` on were never written. */
  onClose(channel: Channel, cause: Error | undefined): void {
    const lost = this.#queue.splice(0).slice(this.#first)
    this.#first = 0
    this.#count(channel)
    const errors = new LostErrors((neverWritten) => lostSend(channel.id, neverWritten, cause))
    for (const { start, abort, reject } of lost) {
      abort?.signal.removeEventListener('abort', abort.listener)
      reject(errors.of(start >= channel.writtenBytes))
    }
  }

  #count(channel: Channel): void {
    const counted = this.length - (this.length % COUNTED_AT_ONCE)
    if (counted === this.#counted) return
    const more = (counted - this.#counted) * SEND_COST
    if (channel.keep(more)) {
      this.#counted = counted
    } else {
      this.overrun = true
      channel.keep(-more)
    }
  }
}

export function lostSend(connectionId: number, neverWritten: boolean, cause: Error | undefined): FrameError {
  return new FrameError('ERR_FRAME_CONNECTION_LOST', {
    message: neverWritten
      ? 'The connection was lost before a byte of the frame was written'
      : 'The connection was lost while the frame was on its way',
    connectionId,
    neverWritten,
    cause,
  })
}
