/**
 * Session: one accepted connection as its server sees it. It listens to the channel by itself and makes the public
 * Connection only when somebody wants it: a request that is answered costs no more objects than it needs. Knows
 * lifetimes; what is done with frames is its subclasses'.
 */
import { setMaxListeners } from 'node:events'
import type { FrameBatch } from '../codec/batch.js'
import type { Payload } from '../codec/bytes.js'
import type { CompiledSerialization } from '../codec/serialization.js'
import { publish } from '../connection/diagnostics.js'
import { Connection } from '../connection/index.js'
import type { ConnectionInit, ConnectionPolicy } from '../connection/types.js'
import { FrameError } from '../errors.js'
import type { Channel, ChannelEvents, PeerCredentials } from '../transport/contract.js'
import type { AllInHand } from './all-in-hand.js'
import { RequestContext } from './context.js'
import type { Served } from './served-list.js'
import type { Totals } from './totals.js'
import type { ErrorReply, RequestHandler } from './types.js'

/** How long a connection that is closed reads on, so that the peer gets to read what it was told, ms. */
export const LINGER = Object.freeze({ ms: 1000, always: false })

/** The same for a peer that was in the middle of its requests when something failed: more of them are on their way. */
export const ERROR_LINGER = Object.freeze({ ms: 1000, always: true })

/** What sessions of one server share. */
export interface SessionHost {
  readonly serialization: CompiledSerialization
  readonly onRequest: RequestHandler<never, unknown> | undefined
  readonly errorReply: ErrorReply | undefined
  readonly maxPendingRequests: number
  readonly totals: Totals
  readonly inHand: AllInHand
  /** Its channel is closed. */
  onClosed(served: Served): void
  /** A handler, or a callback beside it, failed; whoever listens to the server's 'error' is told. */
  onHandlerFailure(error: Error, served: Served): void
}

export abstract class Session implements Served, ChannelEvents, ConnectionInit, ConnectionPolicy {
  readonly channel: Channel
  previous: Served | undefined = undefined
  next: Served | undefined = undefined
  protected readonly host: SessionHost
  #connection: Connection<never, never> | undefined = undefined
  #context: RequestContext | undefined = undefined
  #abort: AbortController | undefined = undefined
  #closed = false
  #readingPaused = false

  constructor(host: SessionHost, channel: Channel) {
    this.host = host
    this.channel = channel
    channel.events = this
  }

  get id(): number {
    return this.channel.id
  }

  get peer(): PeerCredentials | null {
    return this.channel.peer
  }

  get remoteAddress(): string | undefined {
    return this.channel.remoteAddress
  }

  /** The public face. From now on the channel speaks to it, and it to us. */
  get connection(): Connection<never, never> {
    if (this.#connection === undefined) {
      this.#connection = new Connection<never, never>(this.channel, this)
      // It has a say of its own in when there is reading, and has to know.
      if (this.#readingPaused) this.#connection.pause()
      this.onConnectionMade(this.#connection)
      // Everybody has heard of its end already.
      if (this.#closed) this.#connection.channelClose()
    }
    return this.#connection
  }

  /** The public face if somebody has asked for it. */
  get madeConnection(): Connection<never, never> | undefined {
    return this.#connection
  }

  get context(): RequestContext {
    this.#context ??= new RequestContext(this)
    return this.#context
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      // Any number of handlers at work listen to it: Node would take more than ten for a leak.
      setMaxListeners(0, this.#abort.signal)
      if (this.#closed) this.#abort.abort(this.#lostError())
    }
    return this.#abort.signal
  }

  abstract finish(): void

  destroy(): void {
    this.channel.destroy()
  }

  /** Frames arrived. */
  abstract batch(batch: FrameBatch): void
  /** The peer ended its side. Returns whether the session takes it from here. */
  abstract ended(): boolean
  /** Nothing more will arrive. Returns whether the session closes the channel. */
  abstract faulted(error: FrameError, lost: boolean): boolean
  /** What was queued is under the high-water mark again. */
  drained(): void {}
  protected onConnectionMade(connection: Connection<never, never>): void {
    connection.consume((batch) => this.batch(batch))
    connection.on('drain', () => this.drained())
  }

  /** The channel is closed. */
  closed(): void {
    if (this.#closed) return
    this.#closed = true
    this.#abort?.abort(this.#lostError())
    this.host.onClosed(this)
  }

  #lostError(): FrameError {
    return new FrameError('ERR_FRAME_CONNECTION_LOST', { connectionId: this.id })
  }

  /** Stops reading, through the public face where there is one: it has frames of its own to hold back. */
  protected pauseReading(): void {
    this.#readingPaused = true
    if (this.#connection === undefined) this.channel.pause()
    else this.#connection.pause()
  }

  protected resumeReading(): void {
    this.#readingPaused = false
    if (this.#connection === undefined) this.channel.resume()
    else this.#connection.resume()
  }

  /** What frame `i` carries. @throws {FrameError} `ERR_FRAME_SERIALIZATION` */
  protected decode(batch: FrameBatch, i: number): never {
    return this.host.serialization.decode(batch, i) as never
  }

  /** A fault that was found above the channel: goes the way of its own. */
  protected fail(error: FrameError): void {
    if (this.#connection === undefined) this.channelFault(error, false)
    else this.#connection.fail(error)
  }

  /** A reply as it is sent; what an encode function gives is checked where any payload is. @throws what that throws. */
  protected encode(value: unknown): Payload {
    return this.host.serialization.encode(value) as Payload
  }

  /** False: `errorReply` failed, and nothing was sent. */
  protected sendErrorReply(error: FrameError): boolean {
    return sendErrorReply(this.host, this, error, () => this.context)
  }

  /** The handler failed: counts and tells, and gives what the peer is refused with. */
  protected handlerFailed(cause: unknown): FrameError {
    const error = handlerError(cause, this.id)
    this.host.totals.handlerFailures++
    this.host.onHandlerFailure(error, this)
    return error
  }

  /** Counts a fault of the peer. */
  protected countFault(error: FrameError, lost: boolean): void {
    if (isPeersFault(error, lost)) this.host.totals.faults++
  }

  // --- ChannelEvents, while there is no public face ------------------------------------------------------------

  channelBatch(batch: FrameBatch): void {
    this.batch(batch)
  }

  channelEnd(): void {
    if (!this.ended()) this.channel.end()
  }

  channelDrain(): void {
    this.drained()
  }

  channelWritten(): void {}

  channelFault(error: FrameError, lost: boolean): void {
    error.connectionId ??= this.id
    publish('framewire:error', () => ({ connection: this.connection, error }))
    const taken = this.faulted(error, lost)
    if (!taken && !lost) this.channel.close(ERROR_LINGER)
  }

  channelClose(): void {
    this.closed()
  }

  // --- what the public face asks; every idle connection has one, so the session answers for itself --------------

  get serialization(): CompiledSerialization {
    return this.host.serialization
  }

  get chokes(): boolean {
    return true
  }

  get policy(): ConnectionPolicy {
    return this
  }

  onFault(_connection: unknown, error: FrameError, lost: boolean): boolean {
    return this.faulted(error, lost)
  }

  onEnd(): boolean {
    return this.ended()
  }

  onClosed(): void {
    this.closed()
    // There is nobody to answer: frames that wait for this session to read on will not be asked for.
    this.#connection?.destroy()
  }

  onOver(): void {}
}

/** Sends what `errorReply` says to `error`, if there is one and it says something. False: it failed. */
export function sendErrorReply(
  host: SessionHost,
  served: Served,
  error: FrameError,
  context: () => RequestContext,
): boolean {
  const { errorReply } = host
  if (errorReply === undefined) return true
  const { channel } = served
  try {
    const reply = errorReply(error, context())
    if (reply !== null && reply !== undefined) channel.send(reply)
    return true
  } catch (cause) {
    // Whoever wrote errorReply has to hear of it.
    host.onHandlerFailure(handlerError(cause, channel.id, 'errorReply failed'), served)
    return false
  }
}

/** A connection that broke is nobody's fault; one that had to be cut off without another word is. */
export function isPeersFault({ code }: FrameError, lost: boolean): boolean {
  return !lost || code === 'ERR_FRAME_WRITE_TIMEOUT' || code === 'ERR_FRAME_MEMORY_BUDGET'
}

function handlerError(cause: unknown, connectionId: number, message?: string): FrameError {
  return new FrameError('ERR_FRAME_HANDLER', { cause, connectionId, message })
}

/**
 * A promise of what a handler returned, if it is to be waited for: whatever its `then` does, this one settles once. Always one of
 * ours, because a promise may have a `then` of its own, which `await` and `Promise.resolve` do not look at.
 * @throws what reading its `then` throws.
 */
export function promiseOf(value: unknown): Promise<unknown> | undefined {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined
  if (typeof (value as { then?: unknown }).then !== 'function') return undefined
  return new Promise((resolve) => resolve(value))
}
