/**
 * The sending half of a channel: frames are written into the hub's out slab, large ones go out from where they lie. The base
 * of `NativeChannel`, and one object with it: there is one in every idle connection. Knows the hub, not who waits for what is
 * queued.
 */
import { checkBatch, type FrameBatch } from '../../codec/batch.js'
import { type Payload, toBytes } from '../../codec/bytes.js'
import { frameSize, textFrameRoom, tooLarge, writeFrame, writeTextFrame } from '../../codec/encoder.js'
import { headerSize, MAX_FRAME_LENGTH, writeHeader } from '../../format.js'
import { COPY_BYTES } from '../contract.js'
import { isLent } from '../lenders.js'
import { type ChannelTraits, sameWire } from './channel-traits.js'
import type { Writer } from './spare-blocks.js'

/** From here on a payload goes out as a piece of its own, without a copy. */
const LARGE = COPY_BYTES

/** Where a frame that is queued lies: in the out slab, in the receive slab, or its payload in memory of its own. */
const FROM_OUT = 0
const FROM_SLAB = 1
const FROM_MEMORY = 2

/** Bits of a channel's state; one field, because there is one in every idle connection. */
export const WRITABLE = 1
export const DESTROYED = 2

export abstract class ChannelSender implements Writer {
  protected state = WRITABLE

  constructor(
    readonly traits: ChannelTraits,
    readonly slot: number,
  ) {}

  get writable(): boolean {
    return (this.state & WRITABLE) !== 0
  }

  get destroyed(): boolean {
    return (this.state & DESTROYED) !== 0
  }

  abstract readonly acceptedBytes: number

  /** Bytes that were accepted and not written. */
  abstract readonly queuedBytes: number

  abstract isPast(count: number): boolean

  /** At or over the high-water mark, with everything handed over: somebody waits for 'drain' from now on. */
  protected abstract waitForDrain(): void

  send(payload: Payload): boolean {
    if (typeof payload === 'string') return this.sendText(payload)
    const bytes = toBytes(payload)
    const { length } = bytes
    const { traits } = this
    if (length > traits.limit) throw tooLarge(length, traits.limit)
    if (!this.writable) return false
    if (length > LARGE) return this.sendLarge(bytes)
    if (!traits.plain) return this.sendFormatted(bytes)
    const { hub } = traits
    const at = hub.reserve(length + 4)
    const { out } = hub
    out[at] = length >>> 24
    out[at + 1] = length >>> 16
    out[at + 2] = length >>> 8
    out[at + 3] = length
    if (length <= 16) for (let i = 0; i < length; i++) out[at + 4 + i] = bytes[i]
    else out.set(bytes, at + 4)
    return this.accept(FROM_OUT, at, at + length + 4, length + 4)
  }

  private sendFormatted(bytes: Uint8Array): boolean {
    const { hub, config, limit } = this.traits
    const size = frameSize(config.format, limit, bytes.length)
    if (size > hub.outBytes) return this.sendWide(bytes, size)
    const at = hub.reserve(size)
    return this.accept(FROM_OUT, at, writeFrame(config.format, bytes, hub.out, at), size)
  }

  private sendText(text: string): boolean {
    const { hub, config, limit } = this.traits
    if (text.length > LARGE) return this.send(Buffer.from(text))
    if (!this.writable) {
      if (text.length > limit) throw tooLarge(Buffer.byteLength(text), limit)
      return false
    }
    const room = textFrameRoom(config.format, text)
    if (room > hub.outBytes) return this.send(Buffer.from(text))
    const at = hub.reserve(room)
    const end = writeTextFrame(config.format, limit, text, hub.out, at)
    return this.accept(FROM_OUT, at, end, end - at)
  }

  sendOwn(text: string): boolean {
    if (!this.writable) return false
    const bytes = Buffer.from(text)
    return this.sendWide(bytes, frameSize(this.traits.config.format, MAX_FRAME_LENGTH, bytes.length))
  }

  /** Header by way of the out slab, payload from where it lies. */
  private sendLarge(bytes: Uint8Array): boolean {
    const { hub, config, plain } = this.traits
    const prefix = plain ? 4 : headerSize(config.format, bytes.length)
    // With the length field inside of the payload there is a header to be written into it: a copy.
    if (!plain && config.format.strip >= 0) return this.sendWide(bytes, prefix + bytes.length)
    hub.flush()
    const at = hub.outBytes - prefix
    const size = prefix + bytes.length
    writeHeader(config.format, bytes.length, hub.out, at)
    const isBorrowed = hub.isBorrowed(bytes.buffer) || isLent(bytes.buffer, hub)
    // The next large frame may not be read to what is being written.
    if (bytes.buffer === hub.lent?.bytes.buffer) hub.lent.writtenBy(this, this.acceptedBytes + size)
    return this.accept(FROM_MEMORY, at, at + prefix, size, bytes, isBorrowed)
  }

  private sendWide(bytes: Uint8Array, size: number): boolean {
    const { hub, config } = this.traits
    const frame = Buffer.allocUnsafeSlow(size)
    writeFrame(config.format, bytes, frame, 0)
    hub.flush()
    return this.accept(FROM_MEMORY, 0, 0, size, frame)
  }

  sendFrom(batch: FrameBatch, i: number): boolean {
    const { traits } = this
    const { hub } = traits
    const from = hub.forwardableFrom as ChannelTraits
    const isForwardable = batch === hub.forwardable && (from === traits || sameWire(from, traits))
    if (!isForwardable || i >>> 0 !== i || i >= batch.length) return this.sendOther(batch, i)
    const { table } = batch
    const row = batch.base + 2 * i
    const end = table[row + 1]
    const length = end - table[row]
    if (length > traits.limit) throw tooLarge(length, traits.limit)
    if (!this.writable) return false
    const size = traits.prefix + length
    return this.accept(FROM_SLAB, end - size, end, size)
  }

  /** What is not forwarded as it lies. Queued without a copy is memory of this hub, which waits for it, and what is given away. */
  private sendOther(batch: FrameBatch, i: number): boolean {
    checkBatch(batch)
    const isLarge = batch.end(i) - batch.start(i) > LARGE
    const isKept = isLarge && !this.traits.hub.owns(batch.bytes.buffer)
    return this.send(isKept ? batch.copy(i) : batch.view(i))
  }

  /**
   * The last call of every send: queues the frame and counts it. At the end of the stack it throws, as any call does: before it has
   * done so, or not at all.
   */
  private accept(
    from: number,
    start: number,
    end: number,
    size: number,
    payload?: Uint8Array,
    isBorrowed = false,
  ): boolean {
    const { hub, highWaterMark } = this.traits
    if (from === FROM_OUT) hub.queue(this.slot, start, end)
    else if (from === FROM_SLAB) hub.forward(this.slot, start, end)
    else hub.binding.sendLarge(this.slot, start, end, payload as Uint8Array, isBorrowed)
    const accepted = hub.accepted[this.slot] + size
    hub.accepted[this.slot] = accepted
    hub.framesSent[this.slot] += 1
    if (accepted - hub.written[this.slot] < highWaterMark) return true
    try {
      return this.acceptedMuch()
    } catch {
      // The frame is queued, and nobody may take it for one that is not. It goes when the turn ends.
      return true
    }
  }

  private acceptedMuch(): boolean {
    const { hub, highWaterMark } = this.traits
    // What has not been handed over yet is no backlog of the peer's.
    hub.flush()
    if (!this.writable || this.queuedBytes < highWaterMark) return this.writable
    this.waitForDrain()
    return false
  }
}
