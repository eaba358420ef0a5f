/**
 * One connection of the addon, by its slot. Frames are written into the hub's out slab; counts come from tables the
 * addon writes. Knows the hub, not who listens.
 */
import { checkBatch, FrameBatch } from '../../codec/batch.js'
import { type Payload, toBytes } from '../../codec/bytes.js'
import { frameSize, textFrameRoom, tooLarge, writeFrame, writeTextFrame } from '../../codec/encoder.js'
import { FrameError } from '../../errors.js'
import { type CompiledFormat, headerSize, MAX_FRAME_LENGTH, writeHeader } from '../../format.js'
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
import type { NativeHub } from './hub.js'

/** From here on a payload goes out as a piece of its own, without a copy. */
const LARGE = 16 * 1024

const STATE_END = 2
const STATE_FAULT = 4
const STATE_WRITTEN = 8
const STATE_CLOSED = 16

/** Before its owner is there, and after it is gone. */
const NO_EVENTS: ChannelEvents = {
  channelBatch() {},
  channelEnd() {},
  channelDrain() {},
  channelWritten() {},
  channelFault() {},
  channelClose() {},
}

/** Bits of a channel's state; one field, because there is one in every idle connection. */
const WRITABLE = 1
const DESTROYED = 2

export interface Opening {
  resolve(channel: NativeChannel): void
  reject(error: Error): void
}

/** What all channels of a listener or client have in common: a channel sits in every idle connection, so it is small. */
export class ChannelTraits {
  readonly plain: boolean
  readonly limit: number
  /** Bytes of a frame in front of its payload; 0 where that varies. */
  readonly prefix: number

  constructor(
    readonly hub: NativeHub,
    readonly config: ChannelConfig & BudgetConfig,
    /** The addon's number for it. */
    readonly configId: number,
  ) {
    this.plain = config.format.isPlainUint32BE
    this.limit = config.maxFrameLength
    this.prefix = fixedPrefix(config.format)
  }
}

/** What most channels never need. */
interface Rest {
  /** Set while the connection is being made. */
  opening?: Opening
  /** Called once, when the descriptor is closed. */
  released?: () => void
  wantsDrain?: boolean
  /** `close` was called: what the peer still says is nobody's. */
  closing?: boolean
  /** Bytes that count against the budget because our owner keeps them. */
  kept?: number
  mark?: number
  peer?: PeerCredentials | null
  address?: NativeAddress | null
  /** Counts as they were when the descriptor was closed: the slot is another connection's by now. */
  final?: { readonly written: number; readonly received: number }
}

export class NativeChannel implements Channel {
  readonly id: number
  acceptedBytes = 0
  framesReceived = 0
  framesSent = 0
  private state = WRITABLE
  private sink: ChannelEvents = NO_EVENTS
  private rest: Rest | undefined = undefined

  constructor(
    readonly traits: ChannelTraits,
    private readonly slot: number,
    opening?: Opening,
    released?: () => void,
  ) {
    this.id = traits.hub.nextChannelId()
    if (opening !== undefined) this.rest = { opening, released }
  }

  get events(): ChannelEvents {
    return this.sink
  }

  set events(events: ChannelEvents) {
    const first = this.sink === NO_EVENTS
    this.sink = events
    // What was connected by us reads nothing before it has an owner; for what was accepted it changes nothing.
    if (first && this.rest !== undefined) this.resume()
  }

  get writable(): boolean {
    return (this.state & WRITABLE) !== 0
  }

  get destroyed(): boolean {
    return (this.state & DESTROYED) !== 0
  }

  get writtenBytes(): number {
    return this.rest?.final?.written ?? this.traits.hub.written[this.slot]
  }

  get isFull(): boolean {
    return this.rest?.wantsDrain === true
  }

  get queuedBytes(): number {
    return this.acceptedBytes - this.writtenBytes
  }

  get bytesReceived(): number {
    return this.rest?.final?.received ?? this.traits.hub.received[this.slot]
  }

  private get closed(): boolean {
    return this.rest?.final !== undefined
  }

  // --- sending

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
    const { hub, config, limit } = this.traits
    const size = frameSize(config.format, limit, bytes.length)
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
    const { hub, config, limit } = this.traits
    if (text.length > LARGE) return this.send(Buffer.from(text))
    if (!this.writable) {
      if (text.length > limit) throw tooLarge(Buffer.byteLength(text), limit)
      return false
    }
    const room = textFrameRoom(config.format, text)
    if (room > hub.outBytes) return this.send(Buffer.from(text))
    const at = hub.reserve(this.slot, room)
    let end = at
    try {
      end = writeTextFrame(config.format, limit, text, hub.out, at)
    } finally {
      hub.shrink(end)
    }
    return this.accepted(end - at)
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
    writeHeader(config.format, bytes.length, hub.out, at)
    hub.binding.sendLarge(this.slot, at, at + prefix, bytes, isBorrowed(bytes, hub))
    return this.accepted(prefix + bytes.length)
  }

  private sendWide(bytes: Uint8Array, size: number): boolean {
    const { hub, config } = this.traits
    const frame = Buffer.allocUnsafeSlow(size)
    writeFrame(config.format, bytes, frame, 0)
    hub.flush()
    hub.binding.sendLarge(this.slot, 0, 0, frame, false)
    return this.accepted(size)
  }

  sendFrom(batch: FrameBatch, i: number): boolean {
    const { hub, limit, prefix } = this.traits
    if (
      batch !== hub.delivering ||
      !sameWire(hub.deliveringFrom as ChannelTraits, this.traits) ||
      i >>> 0 !== i ||
      i >= batch.length
    ) {
      return this.send(checkBatch(batch).view(i))
    }
    const start = batch.start(i)
    const end = batch.end(i)
    if (end - start > limit) throw tooLarge(end - start, limit)
    if (!this.writable) return false
    hub.forward(this.slot, start - prefix, end)
    return this.accepted(end - start + prefix)
  }

  private accepted(size: number): boolean {
    this.acceptedBytes += size
    this.framesSent += 1
    const { hub, config } = this.traits
    if (this.acceptedBytes - hub.written[this.slot] < config.highWaterMark) return true
    // What has not been handed over yet is no backlog of the peer's.
    hub.flush()
    if (!this.writable || this.queuedBytes < config.highWaterMark) return this.writable
    this.more().wantsDrain = true
    this.setMark()
    return false
  }

  keep(bytes: number): void {
    if (this.closed) return
    const { hub, configId } = this.traits
    const rest = this.more()
    rest.kept = (rest.kept ?? 0) + bytes
    hub.binding.keep(configId, this.slot, bytes)
  }

  notifyWritten(mark: number): void {
    this.more().mark = mark
    this.setMark()
  }

  private more(): Rest {
    this.rest ??= {}
    return this.rest
  }

  /** The addon watches one count; whoever wants less comes first. */
  private setMark(): void {
    const { rest, slot } = this
    if (rest === undefined || rest.final !== undefined) return
    const { hub, config } = this.traits
    let next = rest.mark ?? 0
    if (rest.wantsDrain === true) {
      const drained = Math.max(1, this.acceptedBytes - Math.floor(config.highWaterMark / 2))
      next = next > 0 ? Math.min(next, drained) : drained
    }
    hub.marks[slot] = next
    if (next > 0 && hub.written[slot] >= next) hub.binding.checkMark(slot)
  }

  flush(): void {
    this.traits.hub.flush()
  }

  // --- reading and closing

  pause(): void {
    if (!this.closed) this.traits.hub.binding.pause(this.slot)
  }

  resume(): void {
    if (!this.closed && !this.destroyed) this.traits.hub.binding.resume(this.slot)
  }

  end(): void {
    if (!this.writable) return
    this.state &= ~WRITABLE
    this.traits.hub.end(this.slot)
  }

  close(linger: Linger): void {
    if (this.destroyed || this.closed) return
    this.state &= ~WRITABLE
    this.more().closing = true
    this.traits.hub.close(this.slot, linger.ms, linger.always === true)
  }

  destroy(): void {
    if (this.destroyed || this.closed) return
    this.state = DESTROYED
    this.traits.hub.binding.destroy(this.slot)
  }

  /** The caller has stopped waiting for the connection to be made. */
  abandon(): void {
    if (this.rest !== undefined) this.rest.opening = undefined
    this.destroy()
  }

  get peer(): PeerCredentials | null {
    if (this.rest?.peer === undefined) {
      this.more().peer = this.closed ? null : this.traits.hub.binding.peer(this.slot)
    }
    return this.rest?.peer ?? null
  }

  get remoteAddress(): string | undefined {
    return this.address()?.host
  }

  get remotePort(): number | undefined {
    return this.address()?.port
  }

  private address(): NativeAddress | null {
    if (this.rest?.address === undefined) {
      this.more().address = this.closed ? null : this.traits.hub.binding.remoteAddress(this.slot)
    }
    return this.rest?.address ?? null
  }

  ref(): void {
    if (!this.closed) this.traits.hub.binding.reference(this.slot, true)
  }

  unref(): void {
    if (!this.closed) this.traits.hub.binding.reference(this.slot, false)
  }

  // --- told by the hub

  deliverLarge(start: number, end: number): void {
    const bytes = this.traits.hub.binding.takeLarge(this.slot)
    if (bytes === null) return
    const batch = new FrameBatch(bytes, new Uint32Array([start, end]))
    batch.length = 1
    batch.wireStart = start - this.traits.prefix
    batch.owned = true
    const { hub } = this.traits
    this.framesReceived += 1
    hub.lent = bytes
    try {
      this.sink.channelBatch(batch)
    } finally {
      batch.expire()
      // Whoever wanted to keep the payload was given it; otherwise the next large frame gets the memory.
      if (batch.given === 0 && hub.lent === bytes) hub.blocks.put(bytes)
      hub.lent = undefined
    }
  }

  tell(bits: number): void {
    const closed = (bits & STATE_CLOSED) !== 0
    if (closed) this.settleCounts()
    if (this.rest?.opening !== undefined) {
      this.tellOpening(this.rest.opening, bits)
      return
    }
    if (!this.destroyed && this.rest?.closing !== true && (bits & STATE_END) !== 0) this.sink.channelEnd()
    if (!this.destroyed && (bits & STATE_FAULT) !== 0) this.tellFault()
    if (!this.destroyed && (bits & STATE_WRITTEN) !== 0) this.tellWritten()
    if (!closed) return
    this.state = DESTROYED
    this.sink.channelClose()
    this.sink = NO_EVENTS
  }

  private tellOpening(opening: Opening, bits: number): void {
    this.more().opening = undefined
    // A refusal may be told a turn before the descriptor is closed.
    if ((bits & (STATE_FAULT | STATE_CLOSED)) === 0) {
      opening.resolve(this)
      return
    }
    const { hub, config } = this.traits
    const row = hub.binding.fault(this.slot)
    const cause = row === null ? undefined : faultError(hub.binding, row, config, this.id).cause
    this.state = DESTROYED
    opening.reject(cause instanceof Error ? cause : new FrameError('ERR_FRAME_CLOSED'))
  }

  private tellFault(): void {
    const { hub, config } = this.traits
    const row = hub.binding.fault(this.slot)
    if (row === null) return
    const lost = row[5]
    if (lost) this.state &= ~WRITABLE
    else if (this.rest?.closing === true) return
    this.sink.channelFault(faultError(hub.binding, row, config, this.id), lost)
  }

  private tellWritten(): void {
    const rest = this.more()
    if (rest.wantsDrain === true && this.queuedBytes < this.traits.config.highWaterMark) {
      rest.wantsDrain = false
      this.sink.channelDrain()
    }
    if (rest.mark !== undefined && rest.mark > 0 && this.writtenBytes >= rest.mark) {
      rest.mark = 0
      this.sink.channelWritten()
    }
    this.setMark()
  }

  /** The slot's tables belong to the next connection when this turn is over. */
  private settleCounts(): void {
    const { hub } = this.traits
    const rest = this.more()
    if (rest.kept !== undefined) hub.binding.keep(this.traits.configId, this.slot, -rest.kept)
    rest.final = { written: hub.written[this.slot], received: hub.received[this.slot] }
    rest.released?.()
  }
}

function fixedPrefix(format: CompiledFormat): number {
  if (format.lengthBytes === 0 && format.strip < 0) return 0
  return format.strip < 0 ? format.headerBytes : format.strip
}

/** Frames of `from` are, as they lie on the wire, what `to` would send. */
function sameWire(from: ChannelTraits, to: ChannelTraits): boolean {
  if (from.plain && to.plain) return true
  const { format } = from.config
  // What is in front of the payload and is no length was the sender's, and is zero when we send.
  const isAllLength = format.lengthBytes > 0 && format.lengthOffset === 0 && from.prefix <= format.headerBytes
  return (from === to || format === to.config.format) && from.prefix > 0 && isAllLength
}

/**
 * Borrowed from a delivery: the slab is written again by the next read, so what has to wait of it is copied. A large
 * frame's memory is not used again once somebody holds it.
 */
function isBorrowed(bytes: Uint8Array, hub: NativeHub): boolean {
  if (bytes.buffer === hub.lent?.buffer) hub.lent = undefined
  return bytes.buffer === hub.slab.buffer
}
