/**
 * ChannelWriter: the sending half of a channel. It knows frames, the out slab, what waits and since when; it does not
 * know what is received, or how a channel ends.
 */
import type { Duplex } from 'node:stream'
import { checkBatch, type FrameBatch } from '../../codec/batch.js'
import { type Payload, toBytes } from '../../codec/bytes.js'
import {
  encode,
  frameSize,
  textFrameRoom,
  tooLarge,
  writeFrame,
  writeTextFrame,
} from '../../codec/encoder.js'
import { allocatePooled } from '../../codec/own-buffer.js'
import { FrameError } from '../../errors.js'
import { type CompiledFormat, MAX_FRAME_LENGTH, writeHeader } from '../../format.js'
import { type ChannelConfig, type ChannelEvents, COPY_BYTES } from '../contract.js'
import { isLent } from '../lenders.js'
import { Deadline } from './deadlines.js'
import type { Hub } from './hub.js'
import { OutQueue, type StreamKind } from './out-queue.js'
import type { Slab, SlabUser } from './out-slab.js'

export abstract class ChannelWriter implements SlabUser {
  writable = true
  acceptedBytes = 0
  writtenBytes = 0
  framesSent = 0
  /** Last byte in either direction. */
  activeAt: number
  readonly stream: Duplex
  protected readonly hub: Hub
  protected readonly config: ChannelConfig
  protected readonly kind: StreamKind
  #output: OutQueue | undefined
  /** `send` said false, and `channelDrain` has not been called since. */
  #owesDrain = false
  #writtenMark = 0
  #deadline: Deadline | undefined

  constructor(stream: Duplex, hub: Hub, config: ChannelConfig, kind: StreamKind) {
    this.stream = stream
    this.hub = hub
    this.config = config
    this.kind = kind
    this.activeAt = hub.deadlines.now()
  }

  get isFull(): boolean {
    return this.#owesDrain
  }

  get queuedBytes(): number {
    return this.acceptedBytes - this.writtenBytes
  }

  /** Who is told; undefined before there is an owner. */
  protected abstract get owner(): ChannelEvents | undefined
  /** Nothing can be written any more. */
  protected abstract get isOver(): boolean
  /** What waits has changed, and counts against the budget. */
  protected abstract chargeQueue(): boolean
  protected abstract lose(cause: Error): void
  /** What waits is waiting for too long: it goes, and the connection with it. */
  protected abstract giveUp(error: FrameError): void
  /** Everything that was sent is with the kernel. */
  protected abstract afterWrites(): void
  abstract destroy(): void

  send(payload: Payload): boolean {
    if (typeof payload === 'string') return this.#sendText(payload)
    // What could never be sent is a mistake on a closed channel, too.
    const bytes = toBytes(payload)
    const { format, maxFrameLength } = this.config
    const size = frameSize(format, maxFrameLength, bytes.length)
    if (!this.writable) return false
    if (bytes.length > COPY_BYTES) return this.#sendLarge(bytes, size)
    const { out } = this.hub
    const at = out.reserve(this, size)
    const end = writeFrame(format, bytes, out.bytes, at)
    const goesOn = this.#accept(size)
    out.at = end
    return goesOn
  }

  sendOwn(text: string): boolean {
    return this.writable && this.#queueFrame(encode(this.config.format, MAX_FRAME_LENGTH, text))
  }

  sendFrom(batch: FrameBatch, i: number): boolean {
    // What is queued without a copy must not be borrowed: a frame in memory of its own is given away, others are copied.
    checkBatch(batch)
    const isLarge = batch.end(i) - batch.start(i) > COPY_BYTES
    return this.send(isLarge ? batch.copy(i) : batch.view(i))
  }

  #sendText(text: string): boolean {
    const { format, maxFrameLength } = this.config
    if (!this.writable) {
      if (text.length > maxFrameLength) throw tooLarge(Buffer.byteLength(text), maxFrameLength)
      return false
    }
    const { out } = this.hub
    const room = textFrameRoom(format, text)
    if (room > COPY_BYTES) return this.#queueFrame(encode(format, maxFrameLength, text))
    const at = out.reserve(this, room)
    const end = writeTextFrame(format, maxFrameLength, text, out.bytes, at)
    const goesOn = this.#accept(end - at)
    out.at = end
    return goesOn
  }

  #sendLarge(bytes: Uint8Array, size: number): boolean {
    const { format, maxFrameLength } = this.config
    // Copied: what somebody's next read goes to, memory that can change its size, a payload that holds a part of its header.
    const isBorrowed = isLent(bytes.buffer)
    if (isBorrowed || !isStable(bytes.buffer) || holdsHeader(format)) {
      return this.#queueFrame(encode(format, maxFrameLength, bytes))
    }
    const header = allocatePooled(size - bytes.length)
    writeHeader(format, bytes.length, header, 0)
    return this.#queueFrame(header, bytes)
  }

  /** Queues a frame that lies in memory of its own, or a header and its payload. */
  #queueFrame(frame: Uint8Array, payload?: Uint8Array): boolean {
    const { out } = this.hub
    out.collect()
    out.touch(this)
    return this.#accept(frame.length + (payload?.length ?? 0), frame, payload)
  }

  /**
   * The last call of every send, with what goes past the out slab. At the end of the stack it throws, as any call does: before
   * something was queued or counted, or not at all.
   */
  #accept(size: number, frame?: Uint8Array, payload?: Uint8Array): boolean {
    if (frame !== undefined) this.#queue().pushFrame(frame, payload, this.hub.deadlines.now())
    this.acceptedBytes += size
    this.framesSent++
    if (this.acceptedBytes - this.writtenBytes < this.config.highWaterMark) return true
    this.#owesDrain = true
    return false
  }

  #queue(): OutQueue {
    this.#output ??= new OutQueue(this.stream, this.hub.out, this.kind, () => this.#passedOn())
    return this.#output
  }

  flush(): void {
    this.hub.out.flush()
  }

  /** @internal */
  takeOut(piece: Buffer, slab: Slab): void {
    if (!this.isOver) this.#queue().pushPiece(piece, slab, this.hub.deadlines.now())
  }

  /** @internal */
  writeOut(): void {
    const output = this.#output
    if (output === undefined || this.isOver) return
    try {
      output.pump()
    } catch (error) {
      process.nextTick(() => {
        this.lose(error as Error)
        this.destroy()
      })
    }
    this.#count(output.passedOn)
  }

  /** Looks after what waits now that so much was written. */
  #count(writtenBytes: number): void {
    if (writtenBytes > this.writtenBytes) this.activeAt = this.hub.deadlines.now()
    this.writtenBytes = writtenBytes
    const waits = this.queuedBytes > 0
    if (waits !== (this.#deadline?.isSet ?? false)) this.#watchWrites(waits)
    this.chargeQueue()
  }

  #watchWrites(waits: boolean): void {
    const { writeTimeout } = this.config
    if (writeTimeout === 0) return
    if (!waits) {
      if (this.#deadline !== undefined) this.hub.deadlines.clear(this.#deadline)
      return
    }
    this.#deadline ??= new Deadline(() => this.#writeExpired())
    this.hub.deadlines.set(this.#deadline, this.hub.deadlines.now(), writeTimeout)
  }

  #writeExpired(): void {
    const { writeTimeout } = this.config
    const { deadlines } = this.hub
    const oldest = this.#output?.oldestAt ?? 0
    if (oldest + writeTimeout > deadlines.now()) {
      deadlines.set(this.#deadline as Deadline, oldest, writeTimeout)
      return
    }
    this.giveUp(new FrameError('ERR_FRAME_WRITE_TIMEOUT', { limit: writeTimeout }))
  }

  /** The stream's callback: it has passed on a group, in a tick of its own. */
  #passedOn(): void {
    if (this.isOver) return
    this.writeOut()
    if (this.#writtenMark > 0) this.#tellWritten()
    if (this.#owesDrain && this.queuedBytes < this.config.highWaterMark) {
      this.#owesDrain = false
      this.owner?.channelDrain()
    }
    if (this.queuedBytes === 0) this.afterWrites()
  }

  notifyWritten(mark: number): void {
    this.#writtenMark = mark
    if (mark > 0 && this.writtenBytes >= mark) process.nextTick(() => this.#tellWritten())
  }

  #tellWritten(): void {
    if (this.#writtenMark === 0 || this.writtenBytes < this.#writtenMark || this.isOver) return
    this.#writtenMark = 0
    this.owner?.channelWritten()
  }

  /** The stream is about to be destroyed. */
  protected stopWriter(): void {
    this.#output?.stop()
  }

  /** The stream is closed: what was in flight may have been written, what waited behind it never was. */
  protected closeWriter(): void {
    if (this.#deadline !== undefined) this.hub.deadlines.clear(this.#deadline)
    const output = this.#output
    // A group may have been passed on since the last count, when nobody was there to be told of it.
    if (output !== undefined) this.writtenBytes = output.passedOn
    if (this.#writtenMark > 0) this.owner?.channelWritten()
    if (output === undefined) return
    this.writtenBytes += output.inFlight
    output.clear()
  }
}

/** A part of the length field may lie in the payload. How long a varint is depends on that. */
function holdsHeader({ strip, lengthBytes, headerBytes }: CompiledFormat): boolean {
  return strip >= 0 && (lengthBytes === 0 || strip < headerBytes)
}

/** Memory that nobody can shrink or share: what `transfer` does to it is noticed, a resize would not be. */
function isStable(
  memory: ArrayBufferLike & { readonly resizable?: boolean; readonly growable?: boolean },
): boolean {
  return memory instanceof ArrayBuffer && memory.resizable !== true
}
