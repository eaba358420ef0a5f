/**
 * Connection: whole frames over one channel for exactly one consumer. It knows modes, order, what waits for a paused
 * consumer, and when things are told; it does not know sockets, requests or which backend carries it.
 */
import { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import type { FrameBatch } from '../codec/batch.js'
import { FrameError, optionError } from '../errors.js'
import type { Channel, ChannelEvents, PeerCredentials } from '../transport/contract.js'
import { publish } from './diagnostics.js'
import { forgetStore, makeStore } from './event-store.js'
import { Held } from './held.js'
import { FrameIterator } from './iterator.js'
import { lostSend, PendingSends } from './pending-sends.js'
import { toDuplex, toWeb, type WebStreams } from './streams.js'
import type {
  ConnectionEventName,
  ConnectionEvents,
  ConnectionInit,
  ConnectionStats,
  Consumer,
} from './types.js'

/** How long a connection that closes because of an error reads on so that the peer can read what was sent, ms. */
export const ERROR_LINGER_MS = 1000

/** Default of `close({ timeout })`, ms. */
export const CLOSE_TIMEOUT_MS = 5000

/** Bits of a connection's state; one field, because there is one in every idle connection. */
const PAUSED = 1
/** Nothing more is delivered: closing, destroyed, or after the first error. */
const DEAF = 2
const CLOSED = 4
const ENDED = 8
/** 'error' was emitted. */
const TOLD = 16

type Mode = 'none' | 'frame' | 'batch' | 'iterator' | 'duplex' | 'web' | 'internal'

/**
 * Frames in both directions over one stream connection, for one consumer: `on('frame')`, `for await`, {@link onBatch},
 * {@link toDuplex} or {@link toWeb}. What arrives before one is chosen waits, and reading stops meanwhile.
 *
 * A peer never makes it throw: 'error' is emitted only when somebody listens, 'close' always, with the error if there
 * was one. When the peer has ended its side and nobody listens to 'end', the connection ends its own side too.
 */
export class Connection<In = Buffer, Out = Uint8Array | string>
  extends EventEmitter
  implements ChannelEvents
{
  /** Anything the user wants to keep with the connection. */
  data: unknown = undefined

  readonly #channel: Channel
  readonly #init: ConnectionInit
  /** `send` takes values, not payloads. */
  readonly #encodes: boolean
  #mode: Mode = 'none'
  #batchConsumer: ((batch: FrameBatch) => void) | undefined
  #consumer: Consumer | undefined
  #held: Held | undefined
  /** PAUSED, DEAF and so on. */
  #state = 0
  #error: Error | undefined
  #sends: PendingSends | undefined

  /** @internal Connections come from `createServer`, `connect` and `wrap`. */
  constructor(channel: Channel, init: ConnectionInit) {
    super()
    forgetStore(this)
    this.#channel = channel
    this.#init = init
    this.#encodes = init.serialization.kind === 'json' || init.serialization.kind === 'custom'
    channel.events = this as ChannelEvents
  }

  /** Unique within the process's backend, from 1. Errors name it as `connectionId`. */
  get id(): number {
    return this.#channel.id
  }

  /** Who is at the other end of a unix socket; null: not a unix socket, or the backend cannot tell. */
  get peer(): PeerCredentials | null {
    return this.#channel.peer
  }

  /** Address of the peer of a TCP connection. */
  get remoteAddress(): string | undefined {
    return this.#channel.remoteAddress
  }

  /** Port of the peer of a TCP connection. */
  get remotePort(): number | undefined {
    return this.#channel.remotePort
  }

  /** The connection takes frames: it is not ended, closing or closed. */
  get writable(): boolean {
    return this.#channel.writable
  }

  /** 'close' was emitted, or is about to be. */
  get closed(): boolean {
    return (this.#state & CLOSED) !== 0
  }

  /** Counters since the connection was opened. */
  stats(): ConnectionStats {
    const channel = this.#channel
    return {
      framesReceived: channel.framesReceived,
      bytesReceived: channel.bytesReceived,
      framesSent: channel.framesSent,
      bytesAccepted: channel.acceptedBytes,
      bytesWritten: channel.writtenBytes,
      bytesQueued: channel.queuedBytes,
    }
  }

  // --- sending -----------------------------------------------------------------------------------------------

  /**
   * Queues one frame, written with everything else of this turn. Bytes of up to 16 KiB are copied before it returns;
   * do not change larger ones before they are written.
   * @returns false when the queue is at or over `highWaterMark` ('drain' follows; the frame is queued nevertheless), or
   * when the connection takes nothing any more.
   * @throws {TypeError} `ERR_FRAME_PAYLOAD_TYPE`; {@link FrameError} `ERR_FRAME_TOO_LARGE`, `ERR_FRAME_SERIALIZATION`.
   * Nothing was queued then.
   */
  send(payload: Out): boolean {
    const value = this.#encodes ? this.#init.serialization.encode(payload) : payload
    return this.#channel.send(value as Uint8Array | string)
  }

  /**
   * Sends one frame and settles once the kernel has all of it. A frame that is queued cannot be taken back: `signal`
   * only ends the waiting, with its reason.
   * @throws {FrameError} `ERR_FRAME_CLOSED` when the connection takes nothing any more, `ERR_FRAME_CONNECTION_LOST` when
   * it is lost first; `neverWritten` says whether not a byte of the frame had reached the kernel. Also what `send` throws.
   */
  async sendAsync(payload: Out, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options
    if (signal !== undefined && !(signal instanceof AbortSignal))
      throw optionError('signal', 'an AbortSignal', signal)
    signal?.throwIfAborted()
    const channel = this.#channel
    if (!channel.writable) {
      throw new FrameError('ERR_FRAME_CLOSED', { connectionId: this.id, neverWritten: true })
    }
    const start = channel.acceptedBytes
    this.send(payload)
    if (channel.acceptedBytes === start) throw lostSend(this.id, true, this.#error)
    this.#sends ??= new PendingSends()
    return this.#sends.add(channel, start, channel.acceptedBytes, signal)
  }

  /** Forwards frame `i` of a borrowed batch as it is, without a view or a copy in between. Returns as {@link send}. */
  sendFrom(batch: FrameBatch, i: number): boolean {
    return this.#channel.sendFrom(batch, i)
  }

  // --- receiving ---------------------------------------------------------------------------------------------

  /**
   * Consumes whole reads: `callback` is called with borrowed batches, valid until it returns.
   * @throws {FrameError} `ERR_FRAME_CONSUMER_MODE` when the connection already has a consumer.
   */
  onBatch(callback: (batch: FrameBatch) => void): this {
    this.#claim('batch')
    this.#batchConsumer = callback
    this.#kick()
    return this
  }

  /** A Duplex in object mode: a chunk is a frame in both directions. Claims the connection. */
  toDuplex(): Duplex {
    this.#claim('duplex')
    const [duplex, consumer] = toDuplex(this)
    this.#consumer = consumer
    this.#kick()
    return duplex
  }

  /** A pair of WHATWG streams with backpressure: a chunk is a frame. Claims the connection. */
  toWeb(): WebStreams<In, Out> {
    this.#claim('web')
    const [streams, consumer] = toWeb<In, Out>(this)
    this.#consumer = consumer
    this.#kick()
    return streams
  }

  /** Frames in order; leaving the loop early destroys the connection. Claims the connection. */
  [Symbol.asyncIterator](): AsyncIterableIterator<In> {
    this.#claim('iterator')
    const iterator = new FrameIterator<In>(this)
    this.#consumer = iterator
    this.#kick()
    return iterator
  }

  /** Claims the connection for a server or client: as {@link onBatch}, told apart in errors. @internal */
  consume(callback: (batch: FrameBatch) => void): void {
    this.#claim('internal')
    this.#batchConsumer = callback
    this.#kick()
  }

  /** What frame `i` carries, by the connection's serialization, in memory of its own. @internal */
  decode(batch: FrameBatch, i: number): In {
    return this.#init.serialization.decode(batch, i) as In
  }

  /** Stops delivery and reading. Frames that were already read wait for {@link resume}. */
  pause(): this {
    this.#state |= PAUSED
    this.#channel.pause()
    return this
  }

  /** Goes on after {@link pause}. */
  resume(): this {
    if ((this.#state & PAUSED) === 0) return this
    this.#state &= ~PAUSED
    if (this.#held === undefined) this.#channel.resume()
    else this.#kick()
    return this
  }

  override on<E extends ConnectionEventName>(
    event: E,
    listener: (...args: ConnectionEvents<In>[E]) => void,
  ): this {
    makeStore(this)
    super.on(event, listener)
    if (event === 'frame') this.#onFrameListener()
    return this
  }

  override addListener<E extends ConnectionEventName>(
    event: E,
    listener: (...args: ConnectionEvents<In>[E]) => void,
  ): this {
    return this.on(event, listener)
  }

  override prependListener<E extends ConnectionEventName>(
    event: E,
    listener: (...args: ConnectionEvents<In>[E]) => void,
  ): this {
    makeStore(this)
    super.prependListener(event, listener)
    if (event === 'frame') this.#onFrameListener()
    return this
  }

  // --- closing -----------------------------------------------------------------------------------------------

  /** Sends `payload` if given, then ends this side once the queue is written. The peer's frames still arrive. */
  end(payload?: Out): void {
    if (payload !== undefined) this.send(payload)
    this.#channel.end()
  }

  /** Closes now. What is queued is dropped, nothing more is delivered; 'close' follows with `error`. */
  destroy(error?: Error): this {
    if ((this.#state & CLOSED) !== 0) return this
    this.#error ??= error
    this.#silence()
    this.#channel.destroy()
    return this
  }

  /**
   * Closes gracefully: nothing more is delivered, the queue is written, and the peer gets to read it.
   * Settles when the connection is closed, by force after `timeout` ms (default 5,000; 0: at once).
   */
  close(options: { readonly timeout?: number } = {}): Promise<void> {
    const { timeout = CLOSE_TIMEOUT_MS } = options
    if (typeof timeout !== 'number' || !(timeout >= 0))
      throw optionError('timeout', 'a number of ms, 0 and more', timeout)
    if ((this.#state & CLOSED) !== 0) return Promise.resolve()
    this.#silence()
    return new Promise((resolve) => {
      const timer = timeout === Infinity ? undefined : setTimeout(() => this.#channel.destroy(), timeout)
      this.once('close', () => {
        clearTimeout(timer)
        resolve()
      })
      this.#channel.close({ ms: timeout })
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Lets the process live while the connection is open (the default). */
  ref(): this {
    this.#channel.ref()
    return this
  }

  /** Lets the process end although the connection is open. */
  unref(): this {
    this.#channel.unref()
    return this
  }

  /**
   * Ends delivery with an error that was found above the channel (serialization, a handler): as a protocol error
   * of the channel, it goes to the policy, 'error' and 'close'. @internal
   */
  fail(error: FrameError): void {
    if ((this.#state & DEAF) !== 0) return
    this.#fault(error, false)
  }

  /** Closes with a linger, without waiting: what a policy does after its last reply. @internal */
  finish(lingerMs: number): void {
    this.#silence()
    this.#channel.close({ ms: lingerMs })
  }

  /** Settles when the kernel has everything that was sent so far. @internal */
  written(): Promise<void> {
    const channel = this.#channel
    if (channel.queuedBytes === 0) return Promise.resolve()
    if ((this.#state & CLOSED) !== 0) return Promise.reject(lostSend(this.id, false, this.#error))
    this.#sends ??= new PendingSends()
    return this.#sends.add(channel, channel.acceptedBytes, channel.acceptedBytes, undefined)
  }

  /** Ends this side unless somebody listens to 'end' and so does it himself. @internal */
  endUnattended(): void {
    if (this.listenerCount('end') === 0) this.#channel.end()
  }

  /** Hands what is queued to the kernel now. @internal */
  flush(): void {
    this.#channel.flush()
  }

  // --- from the channel ----------------------------------------------------------------------------------------

  /** @internal */
  channelBatch(batch: FrameBatch): void {
    if ((this.#state & DEAF) !== 0) return
    if (this.#held !== undefined || (this.#state & PAUSED) !== 0 || this.#mode === 'none') {
      this.#hold(batch, 0)
      return
    }
    const delivered = this.#deliver(batch, 0)
    if (delivered < batch.length && (this.#state & DEAF) === 0) this.#hold(batch, delivered)
  }

  /** @internal */
  channelEnd(): void {
    if ((this.#state & DEAF) !== 0) return
    if (this.#held !== undefined) this.#held.ended = true
    else if ((this.#state & PAUSED) !== 0) this.#holdNothing().ended = true
    else this.#end()
  }

  /** @internal */
  channelFault(error: FrameError, lost: boolean): void {
    error.connectionId ??= this.id
    if ((this.#state & DEAF) !== 0) {
      if (lost) this.#error ??= error
    } else if (this.#held !== undefined) {
      this.#held.fault = error
      this.#held.lost = lost
    } else this.#fault(error, lost)
  }

  /** @internal */
  channelDrain(): void {
    this.#guard(() => this.emit('drain'))
  }

  /** @internal */
  channelWritten(): void {
    this.#sends?.onWritten(this.#channel)
  }

  /** @internal */
  channelClose(): void {
    const fault = this.#held?.fault
    const error = this.#error ?? fault
    this.#sends?.onClose(this.#channel, error)
    this.#guard(() => this.#init.policy?.onClosed?.(this, error))
    if (this.#held !== undefined && this.#mode !== 'none') this.#held.closed = true
    else this.#close(error)
  }

  // --- delivery ------------------------------------------------------------------------------------------------

  /** Delivers frames from `from` on; returns the first that was not delivered. */
  #deliver(batch: FrameBatch, from: number): number {
    if (this.#mode === 'frame') return this.#emitFrames(batch, from)
    try {
      if (this.#batchConsumer !== undefined) this.#batchConsumer(batch)
      else this.#consumer?.onBatch(batch)
    } catch (error) {
      if (this.#consumer !== undefined && error instanceof FrameError) this.fail(error)
      else rethrow(error)
    }
    return batch.length
  }

  #emitFrames(batch: FrameBatch, from: number): number {
    // Payloads of a whole batch are copied together, which is cheaper than one by one.
    const copies = from === 0 && this.#init.serialization.kind === 'buffer' ? batch.copyAll() : undefined
    const { length } = batch
    for (let i = from; i < length; i++) {
      if ((this.#state & (PAUSED | DEAF)) !== 0) return i
      let payload: unknown
      try {
        payload = copies === undefined ? this.decode(batch, i) : copies[i]
      } catch (error) {
        this.fail(error as FrameError)
        return length
      }
      try {
        if (!this.emit('frame', payload)) return i
      } catch (error) {
        rethrow(error)
      }
    }
    return length
  }

  #hold(batch: FrameBatch, from: number): void {
    this.#holdNothing().add(batch, from)
  }

  #holdNothing(): Held {
    if (this.#held === undefined) {
      this.#held = new Held()
      this.#channel.pause()
    }
    return this.#held
  }

  /** Delivers what is held in a tick of its own: a consumer that was just chosen or resumed gets to finish its line. */
  #kick(): void {
    if (this.#held !== undefined) process.nextTick(() => this.#deliverHeld())
    else if ((this.#state & (ENDED | CLOSED)) !== 0) process.nextTick(() => this.#tellLate())
  }

  /** A consumer was chosen when everything was over. */
  #tellLate(): void {
    if ((this.#state & ENDED) !== 0) this.#consumer?.onEnd()
    if ((this.#state & CLOSED) !== 0) this.#consumer?.onClose(this.#error)
  }

  #deliverHeld(): void {
    const held = this.#held
    if (held === undefined) return
    while (held.batches.length > 0) {
      if ((this.#state & (PAUSED | DEAF)) !== 0) return
      held.from = this.#deliver(held.batches[0], held.from)
      if (held.from < held.batches[0].length) return
      held.batches.shift()
      held.from = 0
    }
    if ((this.#state & (PAUSED | DEAF)) !== 0) return
    this.#held = undefined
    if (held.fault !== undefined) this.#fault(held.fault, held.lost)
    else if (held.ended) this.#end()
    if (held.closed) this.#close(this.#error)
    else if ((this.#state & (PAUSED | DEAF)) === 0) this.#channel.resume()
  }

  #claim(mode: Mode): void {
    if (this.#mode !== 'none') {
      throw new FrameError('ERR_FRAME_CONSUMER_MODE', { connectionId: this.id })
    }
    this.#mode = mode
  }

  #onFrameListener(): void {
    if (this.#mode !== 'frame') this.#claim('frame')
    this.#kick()
  }

  // --- the end of it -------------------------------------------------------------------------------------------

  #end(): void {
    this.#state |= ENDED
    if (this.#init.policy?.onEnd?.(this)) {
      // The policy goes on from here.
    } else if (this.#consumer !== undefined) this.#consumer.onEnd()
    else this.endUnattended()
    this.#guard(() => this.emit('end'))
  }

  #fault(error: FrameError, lost: boolean): void {
    this.#error ??= error
    this.#silence()
    publish('framewire:error', () => ({ connection: this, error }))
    let handled = lost
    this.#guard(() => {
      handled = this.#init.policy?.onFault?.(this, error, lost) === true || lost
    })
    this.#tell(error)
    if (!handled) this.#channel.close({ ms: this.#channel.framesSent > 0 ? ERROR_LINGER_MS : 0 })
  }

  /** From here on nothing is delivered; what was held is dropped. */
  #silence(): void {
    this.#state |= DEAF
    this.#held = undefined
  }

  #close(error: Error | undefined): void {
    if ((this.#state & CLOSED) !== 0) return
    this.#state |= CLOSED
    this.#silence()
    this.#guard(() => this.#consumer?.onClose(error))
    if (error !== undefined) this.#tell(error)
    this.#guard(() => (error === undefined ? this.emit('close') : this.emit('close', error)))
  }

  #tell(error: Error): void {
    if ((this.#state & TOLD) !== 0) return
    this.#state |= TOLD
    if (this.listenerCount('error') > 0) this.#guard(() => this.emit('error', error))
  }

  /** Runs a callback of the user; what it throws reaches `uncaughtException` without cutting short what follows. */
  #guard(callback: () => unknown): void {
    try {
      callback()
    } catch (error) {
      rethrow(error)
    }
  }
}

function rethrow(error: unknown): void {
  process.nextTick(() => {
    throw error
  })
}
