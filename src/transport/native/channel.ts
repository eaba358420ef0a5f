/**
 * One connection of the addon, by its slot. Frames are written into the hub's out slab; counts come from tables the
 * addon writes. Knows the hub, not who listens.
 */
import { FrameBatch } from '../../codec/batch.js'
import { toBytes } from '../../codec/bytes.js'
import { frameSize, textFrameRoom, tooLarge, writeFrame, writeTextFrame } from '../../codec/encoder.js'
import { FrameError } from '../../errors.js'
import { type CompiledFormat, headerSize, writeHeader } from '../../format.js'
import type {
  BudgetConfig,
  Channel,
  ChannelConfig,
  ChannelEvents,
  Linger,
  PeerCredentials,
} from '../contract.js'
import type { NativeAddress } from './binding.js'
import { faultError } from './faults.js'
import { type NativeHub, REGION_SLAB } from './hub.js'

/** From here on a payload goes out as a piece of its own, without a copy. */
const LARGE = 16 * 1024

const STATE_END = 2
const STATE_FAULT = 4
const STATE_WRITTEN = 8
const STATE_CLOSED = 16

/** Before its owner is there, and after it is gone. */
const NO_EVENTS: ChannelEvents = {
  onBatch() {},
  onEnd() {},
  onDrain() {},
  onWritten() {},
  onFault() {},
  onClose() {},
}

export interface Opening {
  resolve(channel: NativeChannel): void
  reject(error: Error): void
}

export class NativeChannel implements Channel {
  readonly id: number
  /** Bytes of a frame in front of its payload; 0 where that varies. */
  readonly prefix: number
  destroyed = false
  writable = true
  acceptedBytes = 0
  framesReceived = 0
  framesSent = 0
  /** Set while the connection is being made. */
  opening: Opening | undefined
  /** Called once, when the descriptor is closed. */
  released: (() => void) | undefined
  private sink: ChannelEvents = NO_EVENTS
  private held: boolean
  private readonly plain: boolean
  private readonly limit: number
  private wantsDrain = false
  private mark = 0
  private closedAt = -1
  private receivedAtClose = 0
  private knownPeer: PeerCredentials | null | undefined
  private knownAddress: NativeAddress | null | undefined

  constructor(
    private readonly hub: NativeHub,
    private readonly slot: number,
    private readonly config: ChannelConfig & BudgetConfig,
    held: boolean,
  ) {
    this.id = hub.nextChannelId()
    this.held = held
    this.plain = config.format.isPlainUint32BE
    this.prefix = fixedPrefix(config.format)
    this.limit = config.maxFrameLength
  }

  get format(): CompiledFormat {
    return this.config.format
  }

  get events(): ChannelEvents {
    return this.sink
  }

  /** A channel that was connected reads nothing before it has an owner. */
  set events(events: ChannelEvents) {
    this.sink = events
    if (this.held) this.start()
  }

  start(): void {
    this.held = false
    this.hub.binding.resume(this.slot)
  }

  get writtenBytes(): number {
    return this.closedAt >= 0 ? this.closedAt : this.hub.written[this.slot]
  }

  get queuedBytes(): number {
    return this.acceptedBytes - this.writtenBytes
  }

  get bytesReceived(): number {
    return this.closedAt >= 0 ? this.receivedAtClose : this.hub.binding.bytesReceived(this.slot)
  }

  // --- sending

  send(payload: Uint8Array | string): boolean {
    if (typeof payload === 'string') return this.sendText(payload)
    const bytes = toBytes(payload)
    const { length } = bytes
    if (length > this.limit) throw tooLarge(length, this.limit)
    if (!this.writable) return false
    if (length > LARGE) return this.sendLarge(bytes)
    const { hub } = this
    if (!this.plain) return this.sendFormatted(bytes)
    const at = hub.reserve(this.slot, length + 4)
    const { out } = hub
    out[at] = length >>> 24
    out[at + 1] = length >>> 16
    out[at + 2] = length >>> 8
    out[at + 3] = length
    if (length <= 16) for (let i = 0; i < length; i++) out[at + 4 + i] = bytes[i]
    else out.set(bytes, at + 4)
    return this.accepted(length + 4)
  }

  private sendFormatted(bytes: Uint8Array): boolean {
    const { hub, config } = this
    const size = frameSize(config.format, this.limit, bytes.length)
    if (size > hub.outBytes) return this.sendWide(bytes, size)
    const at = hub.reserve(this.slot, size)
    try {
      writeFrame(config.format, bytes, hub.out, at)
    } catch (error) {
      hub.shrink(at)
      throw error
    }
    return this.accepted(size)
  }

  private sendText(text: string): boolean {
    const { hub, config } = this
    if (text.length > LARGE) return this.send(Buffer.from(text))
    if (!this.writable) {
      if (text.length > this.limit) throw tooLarge(Buffer.byteLength(text), this.limit)
      return false
    }
    const room = textFrameRoom(config.format, text)
    if (room > hub.outBytes) return this.send(Buffer.from(text))
    const at = hub.reserve(this.slot, room)
    let end = at
    try {
      end = writeTextFrame(config.format, this.limit, text, hub.out, at)
    } finally {
      hub.shrink(end)
    }
    return this.accepted(end - at)
  }

  /** Header by way of the out slab, payload from where it lies. */
  private sendLarge(bytes: Uint8Array): boolean {
    const { hub, config } = this
    const prefix = this.plain ? 4 : headerSize(config.format, bytes.length)
    // With the length field inside of the payload there is a header to be written into it: a copy.
    if (!this.plain && config.format.strip >= 0) return this.sendWide(bytes, prefix + bytes.length)
    hub.flush()
    const at = hub.outBytes - prefix
    writeHeader(config.format, bytes.length, hub.out, at)
    hub.binding.sendLarge(this.slot, at, at + prefix, bytes)
    return this.accepted(prefix + bytes.length)
  }

  private sendWide(bytes: Uint8Array, size: number): boolean {
    const frame = Buffer.allocUnsafeSlow(size)
    writeFrame(this.config.format, bytes, frame, 0)
    this.hub.flush()
    this.hub.binding.sendLarge(this.slot, 0, 0, frame)
    return this.accepted(size)
  }

  sendFrom(batch: FrameBatch, i: number): boolean {
    const { hub } = this
    const from = hub.delivering
    if (
      batch.region !== REGION_SLAB ||
      from === undefined ||
      !sameWire(from, this) ||
      i >>> 0 >= batch.length
    ) {
      return this.send(batch.view(i))
    }
    const start = batch.start(i)
    const end = batch.end(i)
    if (end - start > this.limit) throw tooLarge(end - start, this.limit)
    if (!this.writable) return false
    hub.forward(this.slot, start - this.prefix, end)
    return this.accepted(end - start + this.prefix)
  }

  private accepted(size: number): boolean {
    this.acceptedBytes += size
    this.framesSent += 1
    const { highWaterMark } = this.config
    if (this.acceptedBytes - this.hub.written[this.slot] < highWaterMark) return true
    // What has not been handed over yet is no backlog of the peer's.
    this.hub.flush()
    if (!this.writable || this.queuedBytes < highWaterMark) return this.writable
    this.wantsDrain = true
    this.setMark()
    return false
  }

  notifyWritten(mark: number): void {
    this.mark = mark
    this.setMark()
  }

  /** The addon watches one count; whoever wants less comes first. */
  private setMark(): void {
    if (this.closedAt >= 0) return
    const { marks } = this.hub
    let next = this.mark
    if (this.wantsDrain) {
      const drained = Math.max(1, this.acceptedBytes - Math.floor(this.config.highWaterMark / 2))
      next = next > 0 ? Math.min(next, drained) : drained
    }
    marks[this.slot] = next
    if (next > 0 && this.hub.written[this.slot] >= next) this.hub.binding.checkMark(this.slot)
  }

  flush(): void {
    this.hub.flush()
  }

  // --- reading and closing

  pause(): void {
    if (this.closedAt < 0) this.hub.binding.pause(this.slot)
  }

  resume(): void {
    if (this.closedAt < 0 && !this.destroyed) this.hub.binding.resume(this.slot)
  }

  end(): void {
    if (!this.writable) return
    this.writable = false
    this.hub.end(this.slot)
  }

  close(linger: Linger): void {
    if (this.destroyed || this.closedAt >= 0) return
    this.writable = false
    this.hub.close(this.slot, linger.ms)
  }

  destroy(): void {
    if (this.destroyed || this.closedAt >= 0) return
    this.destroyed = true
    this.writable = false
    this.hub.binding.destroy(this.slot)
  }

  get peer(): PeerCredentials | null {
    if (this.knownPeer === undefined)
      this.knownPeer = this.closedAt >= 0 ? null : this.hub.binding.peer(this.slot)
    return this.knownPeer
  }

  get remoteAddress(): string | undefined {
    return this.address()?.host
  }

  get remotePort(): number | undefined {
    return this.address()?.port
  }

  private address(): NativeAddress | null {
    if (this.knownAddress === undefined) {
      this.knownAddress = this.closedAt >= 0 ? null : this.hub.binding.remoteAddress(this.slot)
    }
    return this.knownAddress
  }

  ref(): void {
    if (this.closedAt < 0) this.hub.binding.reference(this.slot, true)
  }

  unref(): void {
    if (this.closedAt < 0) this.hub.binding.reference(this.slot, false)
  }

  // --- told by the hub

  deliverLarge(start: number, end: number): void {
    const bytes = this.hub.binding.takeLarge(this.slot)
    if (bytes === null) return
    const batch = new FrameBatch(bytes, new Uint32Array([start, end]))
    batch.length = 1
    batch.wireStart = start - this.prefix
    batch.owned = true
    this.framesReceived += 1
    try {
      this.sink.onBatch(batch)
    } finally {
      batch.expire()
    }
  }

  tell(bits: number): void {
    const closed = (bits & STATE_CLOSED) !== 0
    if (closed) this.settleCounts()
    if (this.opening !== undefined) {
      this.tellOpening(bits)
      return
    }
    if (!this.destroyed && (bits & STATE_END) !== 0) this.sink.onEnd()
    if (!this.destroyed && (bits & STATE_FAULT) !== 0) this.tellFault()
    if (!this.destroyed && (bits & STATE_WRITTEN) !== 0) this.tellWritten()
    if (!closed) return
    this.destroyed = true
    this.writable = false
    this.sink.onClose()
    this.sink = NO_EVENTS
  }

  private tellOpening(bits: number): void {
    const { opening, hub } = this
    this.opening = undefined
    // A refusal may be told a turn before the descriptor is closed.
    if ((bits & (STATE_FAULT | STATE_CLOSED)) === 0) {
      opening?.resolve(this)
      return
    }
    const row = hub.binding.fault(this.slot)
    const cause = row === null ? undefined : faultError(hub.binding, row, this.config, this.id).cause
    this.destroyed = true
    this.writable = false
    opening?.reject(cause instanceof Error ? cause : new FrameError('ERR_FRAME_CLOSED'))
  }

  private tellFault(): void {
    const { hub } = this
    const row = hub.binding.fault(this.slot)
    if (row === null) return
    const lost = row[5]
    if (lost) this.writable = false
    this.sink.onFault(faultError(hub.binding, row, this.config, this.id), lost)
  }

  private tellWritten(): void {
    if (this.wantsDrain && this.queuedBytes < this.config.highWaterMark) {
      this.wantsDrain = false
      this.sink.onDrain()
    }
    if (this.mark > 0 && this.writtenBytes >= this.mark) {
      this.mark = 0
      this.sink.onWritten()
    }
    this.setMark()
  }

  /** The slot's tables belong to the next connection when this turn is over. */
  private settleCounts(): void {
    this.receivedAtClose = this.hub.binding.bytesReceived(this.slot)
    this.closedAt = this.hub.written[this.slot]
    this.released?.()
  }
}

function fixedPrefix(format: CompiledFormat): number {
  if (format.lengthBytes === 0 && format.strip < 0) return 0
  return format.strip < 0 ? format.headerBytes : format.strip
}

/** Frames of `from` are, as they lie on the wire, frames of `to`. */
function sameWire(from: NativeChannel, to: NativeChannel): boolean {
  const a = from.format
  const b = to.format
  return a === b ? from.prefix > 0 : a.isPlainUint32BE && b.isPlainUint32BE
}
