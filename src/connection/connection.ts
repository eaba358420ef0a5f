/**
 * Connection: whole frames over one channel in both directions. It knows how frames are sent and how a connection is
 * closed; receiver.ts, its base, brings what arrives to the consumer. It knows no sockets, requests or backends.
 */
import type { Duplex } from 'node:stream'
import type { FrameBatch } from '../codec/batch.js'
import type { Payload } from '../codec/bytes.js'
import { FrameError, optionError } from '../errors.js'
import { msOption, optionsObject, signalOption } from '../options.js'
import type { Channel, PeerCredentials } from '../transport/contract.js'
import { isError } from './is-error.js'
import { FrameIterator } from './iterator.js'
import { lostSend } from './pending-sends.js'
import { Receiver } from './receiver.js'
import { toDuplex, toWeb, type WebStreams } from './streams.js'
import type { ConnectionInit, ConnectionStats } from './types.js'

/** Default of `close({ timeout })`, ms. */
const CLOSE_TIMEOUT_MS = 5000

/**
 * Frames in both directions over one stream connection, for one consumer: `on('frame')`, `for await`, {@link onBatch},
 * {@link toDuplex} or {@link toWeb}. What arrives before one is chosen waits, and reading stops meanwhile.
 *
 * A peer never makes it throw: 'error' is emitted only when somebody listens, 'close' always, with the error if there
 * was one. When the peer has ended its side and nobody listens to 'end', the connection ends its own side too.
 */
export class Connection<In = Buffer, Out = Payload> extends Receiver<In> {
  /** Anything the user wants to keep with the connection. */
  data: unknown = undefined

  /** @internal Connections come from `createServer`, `connect` and `wrap`. */
  constructor(channel: Channel, init: ConnectionInit) {
    super(channel, init)
    channel.events = this
  }

  /**
   * Who is at the other end of a unix socket; null: not a unix socket, or the backend cannot tell. Asked of the open
   * descriptor and remembered from then on: who first asks when the connection is closed gets null.
   */
  get peer(): PeerCredentials | null {
    return this.channel.peer
  }

  /** Address of the peer of a TCP connection. */
  get remoteAddress(): string | undefined {
    return this.channel.remoteAddress
  }

  /** Port of the peer of a TCP connection. */
  get remotePort(): number | undefined {
    return this.channel.remotePort
  }

  /** The connection takes frames: it is not ended, closing or closed. */
  get writable(): boolean {
    return this.channel.writable
  }

  /** Counters since the connection was opened. */
  stats(): ConnectionStats {
    const channel = this.channel
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
    try {
      const value = this.encodes ? this.init.serialization.encode(payload) : payload
      return this.channel.send(value as Payload)
    } catch (error) {
      throw named(error, this.id)
    }
  }

  /**
   * Sends one frame and settles once the kernel has all of it. A frame that is queued cannot be taken back: `signal`
   * only ends the waiting, with its reason.
   * @throws {FrameError} `ERR_FRAME_CLOSED` when the connection takes nothing any more, `ERR_FRAME_CONNECTION_LOST` when
   * it is lost first; `neverWritten` says whether not a byte of the frame had reached the kernel. Also what `send` throws.
   */
  async sendAsync(payload: Out, options?: { readonly signal?: AbortSignal }): Promise<void> {
    const signal = signalOption(optionsObject(options).signal)
    signal?.throwIfAborted()
    const channel = this.channel
    if (!channel.writable) {
      this.awaitWork()
      throw new FrameError('ERR_FRAME_CLOSED', { connectionId: this.id, neverWritten: true })
    }
    const sends = this.makeSends()
    const start = channel.acceptedBytes
    if (!sends.overrun) this.send(payload)
    if (channel.acceptedBytes === start) {
      this.awaitWork()
      throw lostSend(this.id, true, this.error)
    }
    const sent = sends.add(channel, start, channel.acceptedBytes, signal)
    if (sends.overrun) this.overran()
    return sent
  }

  /** Forwards frame `i` of a borrowed batch as it is, without a view or a copy in between. Returns as {@link send}. */
  sendFrom(batch: FrameBatch, i: number): boolean {
    try {
      return this.channel.sendFrom(batch, i)
    } catch (error) {
      throw named(error, this.id)
    }
  }

  // --- receiving ---------------------------------------------------------------------------------------------

  /**
   * Consumes whole reads: `callback` is called with borrowed batches, valid until it returns.
   * @throws {FrameError} `ERR_FRAME_CONSUMER_MODE` when the connection already has a consumer.
   */
  onBatch(callback: (batch: FrameBatch) => void): this {
    if (typeof callback !== 'function') throw optionError('callback', 'a function', callback)
    this.consume(callback)
    return this
  }

  /** A Duplex in object mode: a chunk is a frame in both directions. Claims the connection. */
  toDuplex(): Duplex {
    return toDuplex(this)
  }

  /** A pair of WHATWG streams with backpressure: a chunk is a frame. Claims the connection. */
  toWeb(): WebStreams<In, Out> {
    return toWeb<In, Out>(this)
  }

  /** Frames in order; leaving the loop early destroys the connection. Claims the connection. */
  [Symbol.asyncIterator](): AsyncIterableIterator<In> {
    const iterator = new FrameIterator<In>(this)
    this.consume(iterator)
    return iterator
  }

  // --- closing -----------------------------------------------------------------------------------------------

  /** Sends `payload` if given, then ends this side once the queue is written. The peer's frames still arrive. */
  end(payload?: Out): void {
    if (payload !== undefined) this.send(payload)
    this.channel.end()
  }

  /**
   * Closes now. What is queued is dropped, as are frames that wait; nothing more is delivered, 'close' follows with
   * `error`.
   * @throws {TypeError} `ERR_FRAME_OPTION_INVALID`: `error` is none; null is taken for absent, as callbacks give it.
   */
  destroy(error?: Error | null): this {
    if (error != null && !isError(error)) throw optionError('error', 'an Error', error)
    this.drop()
    if (this.closed) return this
    this.error ??= error ?? undefined
    this.channel.destroy()
    return this
  }

  /**
   * Closes gracefully: nothing more is delivered, the queue is written, and the peer gets to read it.
   * Settles when the connection is closed, by force after `timeout` whole ms (default 5,000; 0: at once; at most 2^31 - 1).
   * @throws (rejects) {TypeError} `ERR_FRAME_OPTION_INVALID`; the connection stays as it is then.
   */
  async close(options?: { readonly timeout?: number }): Promise<void> {
    const timeout = msOption('timeout', optionsObject(options).timeout, CLOSE_TIMEOUT_MS, 'at once')
    this.drop()
    if (this.closed) return
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.channel.destroy(), timeout)
      this.once('close', () => {
        clearTimeout(timer)
        resolve()
      })
      this.channel.close({ ms: timeout, always: false })
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Lets the process live while the connection is open (the default). */
  ref(): this {
    this.channel.ref()
    return this
  }

  /** Lets the process end although the connection is open. */
  unref(): this {
    this.channel.unref()
    return this
  }

  /** Closes behind what is queued, without waiting for it. @internal */
  closeQueued(): void {
    this.drop()
    this.channel.close({ ms: 0, always: false })
  }

  /** Settles when the kernel has everything that was sent so far. @internal */
  written(): Promise<void> {
    const channel = this.channel
    if (channel.queuedBytes === 0) return Promise.resolve()
    if (this.gone) return Promise.reject(lostSend(this.id, false, this.error))
    return this.makeSends().add(channel, channel.acceptedBytes, channel.acceptedBytes, undefined)
  }

  /** Hands what is queued to the kernel now. @internal */
  flush(): void {
    this.channel.flush()
  }

  // --- from the channel --------------------------------------------------------------------------------------

  /** @internal */
  protected override settleSends(error: Error | undefined): void {
    this.sends?.onClose(this.channel, error)
  }

  /** @internal */
  protected override whole(): Connection<unknown, unknown> {
    return this
  }
}

/** `error` with the connection it is about. */
function named(error: unknown, connectionId: number): unknown {
  if (error instanceof FrameError) error.connectionId ??= connectionId
  return error
}
