/**
 * Sends somebody waits for: each is a range of the channel's stream of accepted bytes and settles once, when the
 * kernel has all of it or never will. Knows byte counts, not frames or sockets.
 */
import { FrameError } from '../errors.js'
import type { Channel } from '../transport/contract.js'

interface PendingSend {
  readonly start: number
  readonly end: number
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

export class PendingSends {
  /** In the order of their bytes; those before `#first` are settled. */
  #queue: PendingSend[] = []
  #first = 0

  /** A frame lies in bytes `start` to `end` of what `channel` has accepted. */
  add(channel: Channel, start: number, end: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => reject(signal?.reason)
      const done = () => signal?.removeEventListener('abort', onAbort)
      signal?.addEventListener('abort', onAbort, { once: true })
      const send: PendingSend = {
        start,
        end,
        resolve: () => {
          done()
          resolve()
        },
        reject: (reason) => {
          done()
          reject(reason)
        },
      }
      this.#queue.push(send)
      if (this.#queue.length - this.#first === 1) channel.notifyWritten(end)
    })
  }

  /** Settles what the kernel has, and asks to be told of the next. */
  onWritten(channel: Channel): void {
    const written = channel.writtenBytes
    while (this.#first < this.#queue.length && this.#queue[this.#first].end <= written) {
      this.#queue[this.#first++].resolve()
    }
    if (this.#first === this.#queue.length) {
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
    for (const send of this.#queue.splice(0).slice(this.#first)) {
      send.reject(lostSend(channel.id, send.start >= channel.writtenBytes, cause))
    }
    this.#first = 0
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
