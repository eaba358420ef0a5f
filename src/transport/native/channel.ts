/**
 * One connection of the addon, by its slot: what happens to it is told to its owner, counts come from tables the addon
 * writes. channel-sender.ts, its base, sends. Knows the hub, not who listens.
 */
import { FrameBatch } from '../../codec/batch.js'
import { FrameError } from '../../errors.js'
import type { Channel, ChannelEvents, Linger, PeerCredentials } from '../contract.js'
import type { Leftover } from '../leftovers.js'
import type { TurnShare } from '../turn-share.js'
import type { NativeAddress } from './binding.js'
import { ChannelSender, DESTROYED, WRITABLE } from './channel-sender.js'
import type { ChannelTraits } from './channel-traits.js'
import { faultError } from './faults.js'
import type { NativeHub } from './hub.js'
import { Block } from './spare-blocks.js'

/** Of a channel that is closed: no connection has it. */
const NO_SLOT = 0xffffffff

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

export interface Opening {
  resolve(channel: NativeChannel): void
  reject(error: Error): void
}

/** Counts as they were when the descriptor was closed: the slot is another connection's by now. */
class Final {
  readonly written: number
  readonly received: number
  readonly accepted: number
  readonly framesSent: number
  readonly framesReceived: number

  constructor(hub: NativeHub, slot: number) {
    this.written = hub.written[slot]
    this.received = hub.received[slot]
    this.accepted = take(hub.accepted, slot)
    this.framesSent = take(hub.framesSent, slot)
    this.framesReceived = take(hub.framesReceived, slot)
  }
}

/** Out of the table, for the next connection there. A page that nobody writes to is no memory. */
function take(table: Float64Array, slot: number): number {
  const count = table[slot]
  if (count !== 0) table[slot] = 0
  return count
}

/** What most channels never need. A class, so that nothing is found where nothing was put, on Object.prototype say. */
class Rest {
  wantsDrain = false
  /** `close` was called: what the peer still says is nobody's. */
  closing = false
  /** Bytes that count against the budget because our owner keeps them. */
  kept = 0
  /** The same, when the channel is closed. */
  leftover: Leftover | undefined = undefined
  mark = 0
  peer: PeerCredentials | null | undefined = undefined
  address: NativeAddress | null | undefined = undefined
  final: Final | undefined = undefined

  constructor(
    /** Set while the connection is being made. */
    public opening: Opening | undefined,
    /** Called once, when the descriptor is closed. */
    readonly released: (() => void) | undefined,
  ) {}
}

export class NativeChannel extends ChannelSender implements Channel {
  readonly id: number
  private sink: ChannelEvents = NO_EVENTS
  private rest: Rest | undefined = undefined

  constructor(traits: ChannelTraits, slot: number, opening?: Opening, released?: () => void) {
    super(traits, slot)
    this.id = traits.hub.nextChannelId()
    if (opening !== undefined) this.rest = new Rest(opening, released)
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

  get turnShare(): TurnShare {
    return this.traits.hub.turnShare
  }

  get writtenBytes(): number {
    return this.rest?.final?.written ?? this.traits.hub.written[this.slot]
  }

  get isFull(): boolean {
    return this.rest?.wantsDrain === true
  }

  override get queuedBytes(): number {
    return this.acceptedBytes - this.writtenBytes
  }

  get bytesReceived(): number {
    return this.rest?.final?.received ?? this.traits.hub.received[this.slot]
  }

  override get acceptedBytes(): number {
    return this.rest?.final?.accepted ?? this.traits.hub.accepted[this.slot]
  }

  get framesSent(): number {
    return this.rest?.final?.framesSent ?? this.traits.hub.framesSent[this.slot]
  }

  get framesReceived(): number {
    return this.rest?.final?.framesReceived ?? this.traits.hub.framesReceived[this.slot]
  }

  override isPast(count: number): boolean {
    return this.closed || this.writtenBytes >= count
  }

  private get closed(): boolean {
    return this.rest?.final !== undefined
  }

  // --- what is queued

  protected override waitForDrain(): void {
    this.more().wantsDrain = true
    this.setMark()
  }

  keep(bytes: number): boolean {
    if (this.closed) {
      this.rest?.leftover?.keep(bytes)
      return true
    }
    const { hub, configId } = this.traits
    const rest = this.more()
    rest.kept += bytes
    return hub.binding.keep(configId, this.slot, bytes)
  }

  notifyWritten(mark: number): void {
    this.more().mark = mark
    this.setMark()
  }

  private more(): Rest {
    this.rest ??= new Rest(undefined, undefined)
    return this.rest
  }

  /** The addon watches one count; whoever wants less comes first. */
  private setMark(): void {
    const { rest, slot } = this
    if (rest === undefined || rest.final !== undefined) return
    const { hub, config } = this.traits
    let next = rest.mark
    if (rest.wantsDrain) {
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
    this.traits.hub.close(this.slot, linger.ms, linger.always)
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
    const block = new Block(bytes)
    hub.framesReceived[this.slot] += 1
    hub.lend(block, batch)
    try {
      this.sink.channelBatch(batch)
    } finally {
      hub.takeBack()
      batch.expire()
      // Whoever wanted to keep the payload was given it; otherwise the next large frame gets the memory, once nobody writes from it.
      if (batch.given === 0) hub.blocks.put(block)
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
    if (rest.wantsDrain && this.queuedBytes < this.traits.config.highWaterMark) {
      rest.wantsDrain = false
      this.sink.channelDrain()
    }
    if (rest.mark > 0 && this.writtenBytes >= rest.mark) {
      rest.mark = 0
      this.sink.channelWritten()
    }
    this.setMark()
  }

  /** The slot's tables belong to the next connection when this turn is over. */
  private settleCounts(): void {
    const { hub } = this.traits
    const rest = this.more()
    if (rest.kept > 0) this.leave(rest, rest.kept)
    // Nothing is counted any more.
    this.state &= ~WRITABLE
    rest.final = new Final(hub, this.slot)
    rest.released?.()
  }

  /** What our owner keeps is his from now on, and counts for as long as he has it. */
  private leave(rest: Rest, bytes: number): void {
    const { hub, configId } = this.traits
    const { binding } = hub
    rest.leftover = hub.leftovers.of(this.sink, bytes, (more) => void binding.keep(configId, NO_SLOT, more))
    binding.keep(configId, this.slot, -bytes)
  }
}
