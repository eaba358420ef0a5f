/**
 * Client: a few connections that are kept open, and the requests that go over them. Knows which lane takes a request,
 * what waits for a lane, and when waiting is over; what happens on a lane is the lane's.
 */

import { EventEmitter } from 'node:events'
import type { Payload } from '../codec/bytes.js'
import { emitGuarded } from '../connection/guard.js'
import { FrameError, optionError } from '../errors.js'
import { countOption, msOption, NO_OPTIONS, optionsObject, signalOption } from '../options.js'
import type { Channel } from '../transport/contract.js'
import type { BackOffOptions } from './back-off.js'
import { type Dial, resolveDial } from './dial.js'
import { Lane, type LaneOwner, lostError } from './lane.js'
import { AbortWatch, Pending } from './pending.js'
import { ownPayload, SendQueue } from './send-queue.js'
import { Sweeper } from './sweeper.js'
import type { ClientEvents, ClientOptions, ClientStats, RequestOptions } from './types.js'

/** Default of `close({ timeout })`, ms. */
const CLOSE_TIMEOUT_MS = 5000

/**
 * Requests over connections that are made again when they are lost. Each request settles once; on a lost connection
 * with `ERR_FRAME_CONNECTION_LOST`, whose `neverWritten` says whether it is safe to send again. Nothing is sent twice
 * by itself. Made by {@link createClient}.
 */
export class Client<In = Buffer, Out = Payload> extends EventEmitter {
  readonly #dial: Dial
  readonly #requestTimeout: number
  readonly #maxQueued: number
  readonly #lanes: Lane[]
  readonly #queue = new SendQueue()
  /** A request whose signal was aborted leaves the queue at once. */
  readonly #aborts = new AbortWatch((pending) => this.#queue.forget(pending))
  readonly #sweeper = new Sweeper((now) => this.#sweep(now))
  readonly #totals = {
    requests: 0,
    sends: 0,
    replies: 0,
    discarded: 0,
    timeouts: 0,
    connects: 0,
    disconnects: 0,
  }
  /** Takes a promise's functions out without a closure for each request. */
  readonly #executor = (resolve: (value: unknown) => void, reject: (reason: unknown) => void) => {
    this.#resolve = resolve
    this.#reject = reject
  }
  #resolve!: (value: unknown) => void
  #reject!: (reason: unknown) => void
  #lastError: Error | undefined
  #closing: Promise<void> | undefined
  #onClosed: (() => void) | undefined

  /** @internal */
  constructor(options: ClientOptions) {
    super()
    this.#dial = resolveDial(options)
    this.#requestTimeout = msOption('requestTimeout', options.requestTimeout, 30_000)
    this.#maxQueued = countOption('maxQueued', options.maxQueued, 10_000)
    const count = countOption('connections', options.connections, 1, 1, 65_536)
    const backOff = resolveReconnect(options.reconnect)
    const owner = this.#laneOwner()
    this.#lanes = Array.from({ length: count }, () => new Lane(this.#dial, backOff, owner))
    for (const lane of this.#lanes) lane.open()
    const { signal } = this.#dial
    if (signal !== undefined) this.#closeOnAbort(signal)
  }

  /**
   * Sends a request and resolves with its reply. While no connection is there it waits for one.
   * @throws (rejects) {FrameError} `ERR_FRAME_CONNECTION_LOST` and `ERR_FRAME_CLOSED` with `neverWritten`,
   * `ERR_FRAME_REQUEST_TIMEOUT`; what `signal`, this one's or the client's, was aborted with; what `Connection.send` throws.
   */
  request(payload: Out, options?: RequestOptions): Promise<In> {
    const promise = new Promise(this.#executor)
    const resolve = this.#resolve
    const reject = this.#reject
    this.#totals.requests++
    let timeout = this.#requestTimeout
    try {
      if (options !== undefined) timeout = msOption('timeout', optionsObject(options).timeout, timeout)
    } catch (error) {
      reject(error)
      return promise as Promise<In>
    }
    const deadline = timeout > 0 ? performance.now() + timeout : Infinity
    const pending = new Pending(resolve, reject, timeout, deadline)
    try {
      const signal = signalOption(options?.signal)
      signal?.throwIfAborted()
      this.#dispatch(payload, pending)
      if (signal !== undefined && !pending.settled) this.#aborts.watch(pending, signal)
      if (deadline !== Infinity) this.#sweeper.watch(deadline)
    } catch (error) {
      pending.reject(error)
    }
    return promise as Promise<In>
  }

  /**
   * Sends a frame that the peer does not answer. While no connection is there it waits for one.
   * @throws {FrameError} `ERR_FRAME_CONNECTION_LOST` (with `limit`: `maxQueued` wait already), `ERR_FRAME_CLOSED`; what
   * `Connection.send` throws. Nothing was sent.
   */
  send(payload: Out): void {
    this.#totals.sends++
    this.#dispatch(payload, undefined)
  }

  /** Counters since the client was made. */
  stats(): ClientStats {
    let connections = 0
    let pending = 0
    for (const lane of this.#lanes) {
      if (lane.up) connections++
      pending += lane.outstanding
    }
    return {
      backend: this.#dial.transport.name,
      connections,
      pending,
      queued: this.#queue.length,
      ...this.#totals,
    }
  }

  /**
   * Takes no further request, waits for replies, and closes; what is not answered after `timeout` whole ms (default 5,000)
   * is rejected with `ERR_FRAME_CONNECTION_LOST`, and what waits for a connection at once with `ERR_FRAME_CLOSED`.
   */
  async close(options?: { readonly timeout?: number }): Promise<void> {
    const timeout = msOption('timeout', optionsObject(options).timeout, CLOSE_TIMEOUT_MS, 'at once')
    this.#closing ??= this.#close(timeout)
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Lets the process live while connections are open or tried for (the default). */
  ref(): this {
    for (const lane of this.#lanes) lane.ref()
    return this
  }

  /** Lets the process end although connections are open. */
  unref(): this {
    for (const lane of this.#lanes) lane.unref()
    return this
  }

  override on<E extends keyof ClientEvents>(event: E, listener: (...args: ClientEvents[E]) => void): this {
    return super.on(event, listener)
  }

  override once<E extends keyof ClientEvents>(event: E, listener: (...args: ClientEvents[E]) => void): this {
    return super.once(event, listener)
  }

  override off<E extends keyof ClientEvents>(event: E, listener: (...args: ClientEvents[E]) => void): this {
    return super.off(event, listener)
  }

  // --- requests ------------------------------------------------------------------------------------------------

  #dispatch(payload: unknown, pending: Pending | undefined): void {
    if (this.#closing !== undefined) throw closedError()
    const encoded = this.#dial.serialization.encode(payload)
    const lane = this.#pick()
    if (lane?.send(encoded, pending)) return
    const own = ownPayload(encoded, this.#dial.config)
    if (this.#lanes.every(isClosed)) throw lostError(undefined, true, this.#lastError)
    if (this.#queue.length >= this.#maxQueued) throw this.#fullError()
    this.#queue.push(own, pending)
  }

  #fullError(): FrameError {
    return new FrameError('ERR_FRAME_CONNECTION_LOST', {
      message: 'No connection is there, and as many requests and sends wait for one as maxQueued lets',
      limit: this.#maxQueued,
      neverWritten: true,
      cause: this.#lastError,
    })
  }

  /** The lane with the fewest requests in flight. */
  #pick(): Lane | undefined {
    const lanes = this.#lanes
    if (lanes.length === 1) return lanes[0]
    let best: Lane | undefined
    for (const lane of lanes) {
      if (lane.up && (best === undefined || lane.outstanding < best.outstanding)) best = lane
    }
    return best
  }

  /** Sends what has waited for a lane, oldest first. */
  #flushQueue(): void {
    this.#queue.flush((payload, pending) => {
      try {
        return this.#pick()?.send(payload, pending) === true
      } catch (error) {
        // Only a request has somebody to tell.
        if (pending === undefined) this.#tell(error as Error)
        else pending.reject(error)
        return true
      }
    })
  }

  #sweep(now: number): number {
    const expire = (pending: Pending) => this.#expire(pending)
    let next = this.#queue.sweep(now, expire)
    for (const lane of this.#lanes) next = Math.min(next, lane.sweep(now, this.#requestTimeout, expire))
    return next
  }

  #expire(pending: Pending): void {
    this.#totals.timeouts++
    const sent = pending.start >= 0
    pending.reject(
      new FrameError('ERR_FRAME_REQUEST_TIMEOUT', {
        message: sent
          ? `No reply arrived within ${pending.timeout} ms`
          : `No connection was there within ${pending.timeout} ms`,
        limit: pending.timeout,
        neverWritten: !sent,
        cause: sent ? undefined : this.#lastError,
      }),
    )
  }

  // --- lanes ---------------------------------------------------------------------------------------------------

  #laneOwner(): LaneOwner {
    return {
      onLaneUp: (_lane, channel) => this.#onUp(channel),
      onLaneDown: (_lane, connectionId, error, isOurs) => {
        this.#lastError = error
        if (isOurs) return
        this.#totals.disconnects++
        emitGuarded(this, 'disconnect', error, { connectionId })
      },
      onLaneFailed: (_lane, error) => {
        this.#lastError = error
        this.#tell(error)
      },
      onReconnecting: (_lane, attempt, delay, error) => {
        emitGuarded(this, 'reconnecting', { attempt, delay, error })
      },
      onLaneClosed: () => {
        if (!this.#lanes.every(isClosed)) return
        this.#queue.refuse(lostError(undefined, true, this.#lastError))
        this.#onClosed?.()
      },
      onReply: (late) => {
        if (late) this.#totals.discarded++
        else this.#totals.replies++
      },
    }
  }

  #onUp(channel: Channel): void {
    this.#totals.connects++
    this.#flushQueue()
    emitGuarded(this, 'connect', { connectionId: channel.id })
  }

  #tell(error: Error): void {
    if (this.listenerCount('error') > 0) emitGuarded(this, 'error', error)
  }

  // --- closing -------------------------------------------------------------------------------------------------

  #closeOnAbort(signal: AbortSignal): void {
    const onAbort = () => {
      const { reason } = signal
      this.#queue.refuse(reason)
      this.#closing ??= this.#close(0)
      const error = new FrameError('ERR_FRAME_CLOSED', { message: 'The client was closed', cause: reason })
      for (const lane of this.#lanes) lane.abort(reason, error)
    }
    if (signal.aborted) queueMicrotask(onAbort)
    else signal.addEventListener('abort', onAbort, { once: true })
    this.once('close', () => signal.removeEventListener('abort', onAbort))
  }

  async #close(timeout: number): Promise<void> {
    this.#queue.refuse(closedError())
    const closed = new Promise<void>((resolve) => {
      this.#onClosed = resolve
    })
    const timer = setTimeout(() => {
      // The cause of requests that were sent and of some that were not: which, the errors it is the cause of say.
      const error = new FrameError('ERR_FRAME_CLOSED', { message: 'The client was closed' })
      for (const lane of this.#lanes) lane.destroy(error)
    }, timeout)
    if (this.#lanes.every(isClosed)) this.#onClosed?.()
    for (const lane of this.#lanes) lane.finish(timeout)
    await closed
    clearTimeout(timer)
    this.#sweeper.stop()
    emitGuarded(this, 'close')
  }
}

function isClosed(lane: Lane): boolean {
  return lane.closed
}

function closedError(): FrameError {
  return new FrameError('ERR_FRAME_CLOSED', { message: 'The client is closed', neverWritten: true })
}

function resolveReconnect(option: ClientOptions['reconnect']): BackOffOptions | undefined {
  if (option === false) return undefined
  if (option !== undefined && option !== true && (typeof option !== 'object' || option === null)) {
    throw optionError('reconnect', 'a boolean or an object', option)
  }
  const { initial, max, jitter = 0.5 } = typeof option === 'object' ? option : NO_OPTIONS
  if (typeof jitter !== 'number' || !(jitter >= 0 && jitter <= 1)) {
    throw optionError('reconnect.jitter', 'a number from 0 to 1', jitter)
  }
  return {
    // Twice nothing is nothing: there would be no delays.
    initial: msOption('reconnect.initial', initial, 50, 'refused'),
    max: msOption('reconnect.max', max, 5000, 'refused'),
    jitter,
  }
}
