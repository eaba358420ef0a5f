/**
 * DuplexChannel: frames over any Node Duplex. It knows bytes in both directions, deadlines and limits; it does not know
 * how the stream came to be, consumer modes, or replies. Sockets are the case it is made for: see net-channel.ts.
 */
import type { Duplex } from 'node:stream'
import type { FrameBatch } from '../../codec/batch.js'
import { toBytes } from '../../codec/bytes.js'
import { encode, frameSize, textFrameRoom, writeFrame, writeTextFrame } from '../../codec/encoder.js'
import { Reassembly } from '../../codec/reassembly.js'
import { type ErrorCode, FrameError } from '../../errors.js'
import { writeHeader } from '../../format.js'
import type { BudgetConfig, Channel, ChannelConfig, ChannelEvents, Linger } from '../contract.js'
import type { Budget } from './budget.js'
import { Deadline } from './deadlines.js'
import type { Hub } from './hub.js'
import { OutQueue, type StreamKind } from './out-queue.js'
import type { Slab, SlabUser } from './out-slab.js'
import { awaitsInput, ReadDeadline, type ReadDeadlineOwner } from './read-deadline.js'

/** Payloads up to this size are copied to the slab; larger ones are lent by the caller until they are written. */
const COPY_BYTES = 16 * 1024

/** Where a stream's handlers find their channel: one function serves all of them. */
const CHANNEL = Symbol('framewire.channel')
type Carried = Duplex & { [CHANNEL]: DuplexChannel }

export class DuplexChannel implements Channel, SlabUser, ReadDeadlineOwner {
  readonly id: number
  writable = true
  acceptedBytes = 0
  writtenBytes = 0
  bytesReceived = 0
  framesSent = 0
  /** @internal Last byte in either direction. */
  activeAt: number

  /** @internal */ readonly stream: Duplex
  readonly #hub: Hub
  readonly #config: ChannelConfig
  readonly #budget: Budget
  readonly #kind: StreamKind
  #events: ChannelEvents | undefined
  #input: Reassembly | undefined
  #output: OutQueue | undefined
  /** Bytes counted against the budget. */
  #charged = 0
  /** `send` said false, and `channelDrain` has not been called since. */
  #owesDrain = false
  #writtenMark = 0
  #paused = false
  #peerEnded = false
  /** Nothing more is delivered: a fault, `close` or `destroy`. */
  #deaf = false
  #faulted = false
  /** The peer is in the middle of something: more input is to be expected. */
  #isWriting = false
  #lost = false
  #ending = false
  #finSent = false
  #closing = false
  /** The queue was written and the rest of the close is under way. */
  #settling = false
  #lingerMs = 0
  #destroyed = false
  #closed = false
  #stuck = false
  #reading: ReadDeadline | undefined
  #writing: Deadline | undefined
  #lingering: Deadline | undefined

  constructor(stream: Duplex, hub: Hub, config: ChannelConfig & BudgetConfig, kind: StreamKind) {
    this.id = hub.nextId()
    this.stream = stream
    this.#hub = hub
    this.#config = config
    this.#budget = hub.budgetOf(config)
    this.#kind = kind
    this.activeAt = hub.deadlines.now()
    ;(stream as Carried)[CHANNEL] = this
    stream.on('error', onError)
    stream.on('close', onClose)
  }

  /** Nothing is read before it is set. */
  get events(): ChannelEvents {
    if (this.#events === undefined) throw new TypeError('channel.events was not set')
    return this.#events
  }

  set events(events: ChannelEvents) {
    const isFirst = this.#events === undefined
    this.#events = events
    if (!isFirst || this.#destroyed) return
    if (awaitsInput(this.#config)) this.#reading = new ReadDeadline(this.#hub.deadlines, this.#config, this)
    if (this.#paused) this.#reading?.suspend()
    this.stream.on('data', onData)
    this.stream.on('end', onEnd)
    if (this.#paused) this.stream.pause()
  }

  get queuedBytes(): number {
    return this.acceptedBytes - this.writtenBytes
  }

  get framesReceived(): number {
    return this.#input?.frames ?? 0
  }

  get peer(): null {
    return null
  }

  get remoteAddress(): string | undefined {
    return undefined
  }

  get remotePort(): number | undefined {
    return undefined
  }

  ref(): void {}

  unref(): void {}

  // --- sending -------------------------------------------------------------------------------------------------

  send(payload: Uint8Array | string): boolean {
    if (!this.writable) return false
    if (typeof payload === 'string') return this.#sendText(payload)
    const bytes = toBytes(payload)
    const { format, maxFrameLength } = this.#config
    const size = frameSize(format, maxFrameLength, bytes.length)
    if (bytes.length > COPY_BYTES) return this.#sendLarge(bytes, size)
    const { out } = this.#hub
    const at = out.reserve(this, size)
    out.at = writeFrame(format, bytes, out.bytes, at)
    return this.#accept(size)
  }

  sendFrom(batch: FrameBatch, i: number): boolean {
    return this.send(batch.view(i))
  }

  #sendText(text: string): boolean {
    const { format, maxFrameLength } = this.#config
    const { out } = this.#hub
    const room = textFrameRoom(format, text)
    if (room > COPY_BYTES) return this.#queueFrame(encode(format, maxFrameLength, text))
    const at = out.reserve(this, room)
    out.at = writeTextFrame(format, maxFrameLength, text, out.bytes, at)
    return this.#accept(out.at - at)
  }

  #sendLarge(bytes: Uint8Array, size: number): boolean {
    const { format, maxFrameLength } = this.#config
    // Memory that can change its size is copied, and so is a payload that holds a part of its header.
    if (!isStable(bytes.buffer) || (format.strip >= 0 && format.strip < format.headerBytes)) {
      return this.#queueFrame(encode(format, maxFrameLength, bytes))
    }
    const { out, deadlines } = this.#hub
    const at = out.reserve(this, size - bytes.length)
    out.at = at + writeHeader(format, bytes.length, out.bytes, at)
    out.collect()
    this.#queue().push(bytes, undefined, deadlines.now())
    return this.#accept(size)
  }

  /** Queues a frame that lies in memory of its own. */
  #queueFrame(frame: Uint8Array): boolean {
    const { out, deadlines } = this.#hub
    out.collect()
    this.#queue().push(frame, undefined, deadlines.now())
    out.touch(this)
    return this.#accept(frame.length)
  }

  #accept(size: number): boolean {
    this.acceptedBytes += size
    this.framesSent++
    if (this.acceptedBytes - this.writtenBytes < this.#config.highWaterMark) return true
    this.#owesDrain = true
    return false
  }

  #queue(): OutQueue {
    this.#output ??= new OutQueue(this.stream, this.#hub.out, this.#kind, () => this.#passedOn())
    return this.#output
  }

  flush(): void {
    this.#hub.out.flush()
  }

  /** @internal */
  takeOut(piece: Buffer, slab: Slab): void {
    if (!this.#destroyed) this.#queue().push(piece, slab, this.#hub.deadlines.now())
  }

  /** @internal */
  writeOut(): void {
    const output = this.#output
    if (output === undefined || this.#destroyed || this.#finSent) return
    try {
      output.pump()
    } catch (error) {
      process.nextTick(() => {
        this.#lose(error as Error)
        this.destroy()
      })
    }
    this.#count(output.passedOn)
  }

  /** Looks after what waits now that so much was written. */
  #count(writtenBytes: number): void {
    if (writtenBytes > this.writtenBytes) this.activeAt = this.#hub.deadlines.now()
    this.writtenBytes = writtenBytes
    const waits = this.queuedBytes > 0
    if (waits !== (this.#writing?.isSet ?? false)) this.#watchWrites(waits)
    if (waits || this.#charged > 0) this.#charge()
  }

  #watchWrites(waits: boolean): void {
    const { writeTimeout } = this.#config
    if (writeTimeout === 0) return
    if (!waits) {
      if (this.#writing !== undefined) this.#hub.deadlines.clear(this.#writing)
      return
    }
    this.#writing ??= new Deadline(() => this.#writeExpired())
    this.#hub.deadlines.set(this.#writing, this.#hub.deadlines.now(), writeTimeout)
  }

  #writeExpired(): void {
    const { writeTimeout } = this.#config
    const { deadlines } = this.#hub
    const oldest = this.#output?.oldestAt ?? 0
    if (oldest + writeTimeout > deadlines.now()) {
      deadlines.set(this.#writing as Deadline, oldest, writeTimeout)
      return
    }
    this.#stuck = true
    if (this.#closing) this.destroy()
    else this.#fault(new FrameError('ERR_FRAME_WRITE_TIMEOUT', { limit: writeTimeout }))
  }

  /** The stream's callback: it has passed on a group, in a tick of its own. */
  #passedOn(): void {
    if (this.#closed || this.#destroyed || this.#lost) return
    this.writeOut()
    if (this.#writtenMark > 0) this.#tellWritten()
    if (this.#owesDrain && this.queuedBytes < this.#config.highWaterMark) {
      this.#owesDrain = false
      this.#events?.channelDrain()
    }
    if (this.queuedBytes === 0) this.#afterWrites()
  }

  notifyWritten(mark: number): void {
    this.#writtenMark = mark
    if (mark > 0 && this.writtenBytes >= mark) process.nextTick(() => this.#tellWritten())
  }

  #tellWritten(): void {
    if (this.#writtenMark === 0 || this.writtenBytes < this.#writtenMark || this.#closed) return
    this.#writtenMark = 0
    this.#events?.channelWritten()
  }

  // --- receiving -----------------------------------------------------------------------------------------------

  /** @internal */
  onChunk(chunk: Buffer): void {
    this.bytesReceived += chunk.length
    const now = this.#hub.deadlines.now()
    this.activeAt = now
    if (this.#deaf) return
    this.#input ??= new Reassembly(this.#config.format, this.#config.maxFrameLength, {
      space: this.#hub.scan,
      // What node:net and node:tls read is memory of its own; any other stream may use its chunks again.
      ownsChunks: this.#kind !== 'duplex',
    })
    const input = this.#input
    const error = input.push(chunk, this.#deliver)
    if (this.#deaf) return
    if (error !== null) {
      this.#isWriting = true
      this.#fault(error)
      return
    }
    if (!this.#paused) this.#reading?.moved(input, now)
    if (input.reserved > 0 || this.#charged > 0) this.#charge()
  }

  readonly #deliver = (batch: FrameBatch): void => {
    if (!this.#deaf) this.events.channelBatch(batch)
  }

  /** @internal */
  onPeerEnd(): void {
    this.#peerEnded = true
    if (this.#closing && this.queuedBytes === 0) this.#finish()
    if (this.#kind === 'duplex' && this.stream.writableFinished) this.destroy()
    if (this.#deaf) return
    const error = this.#input?.end() ?? null
    this.#reading?.stop()
    if (error !== null) this.#fault(error)
    else this.events.channelEnd()
  }

  /** @internal */
  onReadDeadline(code: ErrorCode, ms: number): void {
    if (!this.#deaf) this.#fault(new FrameError(code, { ...this.#input?.describe(false), limit: ms }))
  }

  pause(): void {
    if (this.#paused || this.#closing || this.#destroyed) return
    this.#paused = true
    this.#reading?.suspend()
    if (this.#events !== undefined) this.stream.pause()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    if (this.#events === undefined || this.#destroyed) return
    this.#reading?.resume(this.#input)
    this.stream.resume()
  }

  /** Counts what is held against the budget; the channel that brings it over the limit has to go. */
  #charge(): void {
    const held = this.queuedBytes + (this.#input?.reserved ?? 0)
    const more = held - this.#charged
    this.#charged = held
    this.#budget.change(more)
    if (more <= 0 || !this.#budget.isExceeded || this.#closing) return
    this.#stuck = this.queuedBytes > 0
    const details = { ...this.#input?.describe(false), limit: this.#budget.limit }
    // Later, because this may be inside a call of the owner's.
    process.nextTick(() => this.#fault(new FrameError('ERR_FRAME_MEMORY_BUDGET', details)))
  }

  // --- the end of it -------------------------------------------------------------------------------------------

  /** Nothing more is delivered and what arrives is thrown away; sending goes on. */
  #fault(error: FrameError): void {
    if (this.#deaf) return
    this.#faulted = true
    this.#silence()
    this.#charge()
    this.events.channelFault(error, false)
  }

  /** The connection is gone, by no doing of ours. Told once, and not after another fault. */
  #lose(cause: Error | undefined): void {
    if (this.#lost || this.#destroyed || this.#faulted) return
    this.#lost = true
    this.#silence()
    this.writable = false
    this.#events?.channelFault(new FrameError('ERR_FRAME_CONNECTION_LOST', { cause }), true)
  }

  #silence(): void {
    this.#deaf = true
    this.#reading?.stop()
    this.#input?.stop()
    if (!this.#paused || this.#destroyed) return
    this.#paused = false
    this.stream.resume()
  }

  end(): void {
    if (!this.writable) return
    this.writable = false
    this.#ending = true
    this.flush()
    if (this.queuedBytes === 0) this.#afterWrites()
  }

  close(linger: Linger): void {
    if (this.#closing || this.#destroyed) return
    this.writable = false
    this.#closing = true
    this.#lingerMs = linger.ms
    if ((this.#input?.held ?? 0) > 0) this.#isWriting = true
    this.#silence()
    this.flush()
    if (this.#stuck && this.queuedBytes > 0) this.destroy()
    else if (this.queuedBytes === 0) this.#afterWrites()
  }

  /** Everything that was sent is with the kernel. */
  #afterWrites(): void {
    if (this.#ending && !this.#closing) this.#finish()
    if (!this.#closing || this.#settling || this.#destroyed) return
    this.#settling = true
    if (this.#lingerMs === 0 && this.#kind === 'socket') this.destroy()
    else if (this.#peerEnded || this.#isWriting || this.#kind !== 'socket') this.#linger()
    else this.#whenQuiet()
  }

  #finish(): void {
    if (this.#finSent || this.#destroyed) return
    this.#finSent = true
    this.stream.end()
    // Sockets close by themselves once both sides have ended; not every Duplex does.
    if (this.#kind === 'duplex') this.stream.once('finish', () => this.#peerEnded && this.destroy())
  }

  /** Ends our side; the peer gets until the linger is over to end its own. The stream closes when both have. */
  #linger(): void {
    this.#finish()
    const { deadlines } = this.#hub
    this.#lingering = new Deadline(() => this.destroy())
    deadlines.set(this.#lingering, deadlines.now(), this.#lingerMs)
  }

  /** Nothing came during a whole turn of the loop: no input is unread, and closing resets nobody. */
  #whenQuiet(): void {
    const before = this.bytesReceived
    setImmediate(() =>
      setImmediate(() => {
        if (this.bytesReceived === before) this.destroy()
        else if (!this.#destroyed) this.#linger()
      }),
    )
  }

  destroy(): void {
    if (this.#destroyed) return
    this.#destroyed = true
    this.writable = false
    this.#silence()
    this.stream.destroy()
    // A stream made with `emitClose: false` says nothing.
    if (this.#kind === 'duplex') setImmediate(() => this.onStreamClose())
  }

  /** @internal */
  onStreamError(error: Error): void {
    // A reset after the last answer was passed on is no news.
    if (!this.#closing || this.queuedBytes > 0) this.#lose(error)
  }

  /** @internal */
  onStreamClose(): void {
    if (this.#closed) return
    this.#closed = true
    if (!(this.#peerEnded && this.#finSent)) this.#lose(undefined)
    this.#destroyed = true
    this.writable = false
    this.#silence()
    for (const node of [this.#writing, this.#lingering])
      if (node !== undefined) this.#hub.deadlines.clear(node)
    if (this.#writtenMark > 0) this.#events?.channelWritten()
    this.writtenBytes += this.#output?.inFlight ?? 0
    this.#output?.clear()
    this.#budget.change(-this.#charged)
    this.#charged = 0
    this.#events?.channelClose()
  }
}

/** Memory that nobody can shrink or share: what `transfer` does to it is noticed, a resize would not be. */
function isStable(
  memory: ArrayBufferLike & { readonly resizable?: boolean; readonly growable?: boolean },
): boolean {
  return memory instanceof ArrayBuffer && memory.resizable !== true
}

function onData(this: Duplex, chunk: Buffer): void {
  ;(this as Carried)[CHANNEL].onChunk(chunk)
}

function onEnd(this: Duplex): void {
  ;(this as Carried)[CHANNEL].onPeerEnd()
}

function onError(this: Duplex, error: Error): void {
  ;(this as Carried)[CHANNEL].onStreamError(error)
}

function onClose(this: Duplex): void {
  ;(this as Carried)[CHANNEL].onStreamClose()
}
