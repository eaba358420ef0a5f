/**
 * One connection of a client, made again whenever it is lost. Requests go out in order and replies come in the same
 * order; that order is all that matches them. Knows one channel and what waits on it, not the other lanes.
 */
import type { FrameBatch } from '../codec/batch.js'
import { publish } from '../connection/diagnostics.js'
import { LostErrors } from '../connection/lost-errors.js'
import { FrameError } from '../errors.js'
import type { Channel, ChannelEvents } from '../transport/contract.js'
import { BackOff, type BackOffOptions } from './back-off.js'
import { type Dial, dial } from './dial.js'
import type { Pending } from './pending.js'
import { Ring } from './ring.js'

/** What a lane tells its client. */
export interface LaneOwner {
  onLaneUp(lane: Lane, channel: Channel): void
  /** `isOurs`: it was closed because the client was. */
  onLaneDown(lane: Lane, connectionId: number, error: Error, isOurs: boolean): void
  onLaneFailed(lane: Lane, error: Error): void
  onReconnecting(lane: Lane, attempt: number, delay: number, error: Error): void
  /** The lane is closed for good. */
  onLaneClosed(lane: Lane): void
  onReply(late: boolean): void
}

export class Lane implements ChannelEvents {
  readonly #dial: Dial
  readonly #owner: LaneOwner
  readonly #backOff: BackOff | undefined
  readonly #attempt = new AbortController()
  #channel: Channel | undefined
  #waiting = new Ring<Pending>()
  #timer: NodeJS.Timeout | undefined
  /** When the connection was made, on the clock of `performance.now()`. */
  #madeAt = 0
  #referenced = true
  /** What the connection will be said to have been lost for. */
  #cause: Error | undefined
  #closing = false
  /** How long a peer is heard out when the lane closes, ms. */
  #linger = 0
  /** A frame that nobody answers went out on this connection: when the peer has read it is not known. */
  #told = false
  /** The client closes it: nothing that happens to it from now on is news. */
  #isOurs = false
  #closed = false

  constructor(to: Dial, backOff: BackOffOptions | undefined, owner: LaneOwner) {
    this.#dial = to
    this.#owner = owner
    this.#backOff = backOff === undefined ? undefined : new BackOff(backOff)
  }

  /** A frame can be sent. */
  get up(): boolean {
    return this.#channel?.writable === true && !this.#closing
  }

  /** No connection is there, and none will be. */
  get closed(): boolean {
    return this.#closed
  }

  /** Requests whose reply has not come. */
  get outstanding(): number {
    return this.#waiting.length
  }

  /** Connects; may fail and be tried again without the caller noticing. */
  open(): void {
    const signal = this.#attempt.signal
    dial(this.#dial, signal, (channel) => this.#adopt(channel)).catch((error: Error) => {
      if (signal.aborted) return this.#end()
      this.#owner.onLaneFailed(this, error)
      this.#retry(error)
    })
  }

  /**
   * Sends a request (or, without `pending`, a frame nobody answers). False: the connection is gone, nothing was sent.
   * @throws what `Connection.send` throws; nothing was sent.
   */
  send(payload: unknown, pending: Pending | undefined): boolean {
    const channel = this.#channel
    if (channel === undefined || this.#closing) return false
    const start = channel.acceptedBytes
    channel.send(payload as Uint8Array)
    if (channel.acceptedBytes === start) return false
    if (pending === undefined) {
      this.#told = true
    } else {
      pending.start = start
      this.#waiting.push(pending)
    }
    return true
  }

  /**
   * Rejects requests that are overdue; returns the earliest deadline that is left. A peer is taken for dead when the oldest
   * reply is overdue for `patience` ms more, or as long as any request here waits where that is longer: giving up costs
   * everything behind that reply.
   */
  sweep(now: number, patience: number, expire: (pending: Pending) => void): number {
    let next = Infinity
    let longest = patience
    for (let i = 0; i < this.#waiting.length; i++) {
      const pending = this.#waiting.at(i)
      longest = Math.max(longest, pending.timeout > 0 ? pending.timeout : Infinity)
      if (pending.settled) continue
      if (pending.deadline <= now) expire(pending)
      else if (pending.deadline < next) next = pending.deadline
    }
    const oldest = this.#waiting.length > 0 ? this.#waiting.at(0) : undefined
    if (!oldest?.settled) return next
    const end = oldest.deadline + longest
    if (end > now) return Math.min(next, end)
    this.#cause ??= new FrameError('ERR_FRAME_REQUEST_TIMEOUT', { limit: oldest.timeout })
    this.#channel?.destroy()
    return Infinity
  }

  /**
   * Takes nothing more and closes once what was sent is answered. The peer gets to read it: it is heard out for at most
   * `linger` ms, 0: not at all.
   */
  finish(linger: number): void {
    this.#linger = linger
    this.#closing = true
    if (this.#channel === undefined) this.destroy(new FrameError('ERR_FRAME_CLOSED'))
    else if (this.#waiting.length === 0) this.#close(this.#channel)
  }

  /** Rejects what waits with `reason`, and closes for good, at once. */
  abort(reason: unknown, error: Error): void {
    for (let i = 0; i < this.#waiting.length; i++) this.#waiting.at(i).reject(reason)
    this.destroy(error)
  }

  /** Closes for good, at once. What waits is rejected with `error` as the cause. */
  destroy(error: Error): void {
    this.#closing = true
    clearTimeout(this.#timer)
    this.#attempt.abort(error)
    if (this.#channel === undefined) {
      this.#end()
      return
    }
    this.#isOurs ||= this.#cause === undefined
    this.#cause ??= error
    this.#channel.destroy()
  }

  /** Closes behind what was sent. A peer that may not have read all of it must not be reset for what it says meanwhile. */
  #close(channel: Channel): void {
    this.#isOurs ||= this.#cause === undefined
    channel.close({ ms: this.#linger, always: this.#told })
  }

  ref(): void {
    this.#referenced = true
    this.#channel?.ref()
    this.#timer?.ref()
  }

  unref(): void {
    this.#referenced = false
    this.#channel?.unref()
    this.#timer?.unref()
  }

  // --- ChannelEvents -------------------------------------------------------------------------------------------

  channelBatch(batch: FrameBatch): void {
    this.#backOff?.reset()
    const { serialization } = this.#dial
    for (let i = 0; i < batch.length; i++) {
      const pending = this.#waiting.shift()
      const late = pending === undefined || pending.settled
      this.#owner.onReply(late)
      if (late) continue
      try {
        pending.resolve(serialization.decode(batch, i))
      } catch (error) {
        pending.reject(error)
      }
    }
    if (this.#closing && this.#waiting.length === 0 && this.#channel !== undefined) this.#close(this.#channel)
  }

  /** A peer that has ended its side answers nothing any more. */
  channelEnd(): void {
    this.#channel?.destroy()
  }

  channelDrain(): void {}

  channelWritten(): void {}

  channelFault(error: FrameError, lost: boolean): void {
    error.connectionId ??= this.#channel?.id
    this.#cause ??= error
    publish('framewire:error', () => ({ connectionId: this.#channel?.id, error }))
    if (!lost) this.#channel?.destroy()
  }

  channelClose(): void {
    const channel = this.#channel
    if (channel === undefined) return
    this.#channel = undefined
    const cause = this.#cause
    this.#cause = undefined
    const waiting = this.#waiting
    this.#waiting = new Ring()
    const errors = new LostErrors((neverWritten) => lostError(channel.id, neverWritten, cause))
    for (let i = 0; i < waiting.length; i++) {
      const pending = waiting.at(i)
      pending.reject(errors.of(pending.start >= channel.writtenBytes))
    }
    const error = cause ?? lostError(channel.id, undefined, undefined)
    this.#owner.onLaneDown(this, channel.id, error, this.#isOurs)
    this.#backOff?.lasted(performance.now() - this.#madeAt)
    if (this.#closing) this.#end()
    else this.#retry(error)
  }

  // --- connecting ----------------------------------------------------------------------------------------------

  #adopt(channel: Channel): void {
    if (this.#closing) {
      channel.events = this
      channel.destroy()
      return
    }
    this.#channel = channel
    this.#told = false
    channel.events = this
    this.#madeAt = performance.now()
    if (!this.#referenced) channel.unref()
    publish('framewire:connection', () => ({ connectionId: channel.id }))
    this.#owner.onLaneUp(this, channel)
  }

  #retry(error: Error): void {
    const backOff = this.#backOff
    if (this.#closing || backOff === undefined) {
      this.#end()
      return
    }
    const delay = backOff.next()
    this.#timer = setTimeout(() => this.open(), delay)
    if (!this.#referenced) this.#timer.unref()
    this.#owner.onReconnecting(this, backOff.attempt, delay, error)
  }

  #end(): void {
    if (this.#closed) return
    this.#closed = true
    this.#owner.onLaneClosed(this)
  }
}

/** `ERR_FRAME_CONNECTION_LOST`; `neverWritten` true means that the request is safe to send again. */
export function lostError(
  connectionId: number | undefined,
  neverWritten: boolean | undefined,
  cause: Error | undefined,
): FrameError {
  return new FrameError('ERR_FRAME_CONNECTION_LOST', { connectionId, neverWritten, cause })
}
