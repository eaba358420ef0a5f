/**
 * The JS half of the hub: memory shared with the addon, one turn in which everything that happened crosses over, and
 * the out slab into which all connections write their frames. Knows channels and listeners by their numbers.
 */
import { AsyncResource } from 'node:async_hooks'
import { FrameBatch } from '../../codec/batch.js'
import { seal } from '../../codec/node/seal.js'
import { allocate } from '../../codec/own-buffer.js'
import { Leftovers } from '../leftovers.js'
import { addLender, type Lender } from '../lenders.js'
import { TurnShare } from '../turn-share.js'
import type { Binding, HubTables } from './binding.js'
import type { NativeChannel } from './channel.js'
import type { ChannelTraits } from './channel-traits.js'
import type { NativeListener } from './listener.js'
import { ReceiveSlab } from './receive-slab.js'
import { type Block, SpareBlocks } from './spare-blocks.js'

/** Sizes are native/transport's to use and ours to choose; see docs/benchmarks.md for what was measured. */
const OUT_BYTES = 256 * 1024
const MAX_RUNS = 4 * 1024
const MAX_STATES = 1024
const MAX_SEGMENTS = 4 * 1024
/** Memory for these is touched only as connections come. */
const MAX_SLOTS = 256 * 1024

/** Words of `control`. */
const SEGMENTS = 0
const IN_TURN = 1
const OUT = 2
const KEEP = 3

/** Kinds of segments. */
const KIND_OUT = 0
const KIND_SLAB = 1
const KIND_END = 2
const KIND_CLOSE = 3

const STATE_CLOSED = 16

/** No slot. */
const NONE = -1

/** The context the package was loaded in. */
const NOBODY = new AsyncResource('FramewireHub', { requireManualDestroy: true })

/** Nobody has it, so no batch is ever the same. */
const NO_BATCH = new FrameBatch(allocate(0), new Uint32Array(0))

export class NativeHub implements Lender {
  readonly out: Buffer
  readonly outBytes = OUT_BYTES
  readonly written: Float64Array
  readonly received: Float64Array
  readonly marks: Float64Array
  /** What channels count by themselves, per slot; for who does nothing none of it is touched. Zero when the slot is taken. */
  readonly accepted = new Float64Array(MAX_SLOTS)
  readonly framesSent = new Float64Array(MAX_SLOTS)
  readonly framesReceived = new Float64Array(MAX_SLOTS)
  readonly listeners = new Map<number, NativeListener>()
  /** What is being delivered out of the slab, if `sendFrom` may forward it as it lies there, and whose it is. */
  forwardable: FrameBatch = NO_BATCH
  forwardableFrom: ChannelTraits | undefined
  private readonly slab = new ReceiveSlab()
  private readonly tables: HubTables
  private readonly control: Uint32Array
  private readonly segments: Uint32Array
  private readonly channels: (NativeChannel | undefined)[] = []
  /** A large frame's own memory while it is being delivered. */
  lent: Block | undefined
  private lentBatch: FrameBatch = NO_BATCH
  /** Memory for large frames. */
  readonly blocks = new SpareBlocks()
  readonly leftovers = new Leftovers()
  readonly turnShare = new TurnShare()
  /** The last segment, if it is forwarded and may grow: whose it is, where it ends in the slab, and where that is written. */
  private forwardSlot = NONE
  private forwardEnd = 0
  private forwardAt = 0
  private readonly flushLater = (): void => this.flush()
  private lastChannelId = 0
  private lastListener = 0

  constructor(readonly binding: Binding) {
    this.tables = {
      slab: this.slab.bytes,
      rows: this.slab.rows,
      runs: new Uint32Array(4 * MAX_RUNS),
      states: new Uint32Array(4 * MAX_STATES),
      out: allocate(OUT_BYTES),
      segments: new Uint32Array(4 * MAX_SEGMENTS),
      control: new Uint32Array(4),
      written: new Float64Array(MAX_SLOTS),
      received: new Float64Array(MAX_SLOTS),
      marks: new Float64Array(MAX_SLOTS),
      owners: new Uint32Array(MAX_SLOTS),
    }
    this.out = this.tables.out
    this.control = this.tables.control
    this.segments = this.tables.segments
    this.written = this.tables.written
    this.received = this.tables.received
    this.marks = this.tables.marks
    // The addon goes on using this memory wherever it belongs by then.
    for (const table of Object.values(this.tables)) seal(table.buffer)
    addLender(this)
    // It serves everybody, so nobody's context goes with it.
    NOBODY.runInAsyncScope(() =>
      binding.open(
        this.tables,
        (runs, states) => this.turn(runs, states),
        (size) => this.blocks.take(size),
      ),
    )
  }

  nextChannelId(): number {
    return ++this.lastChannelId
  }

  nextListener(): number {
    return ++this.lastListener
  }

  add(slot: number, channel: NativeChannel): void {
    this.channels[slot] = channel
  }

  /** Every open connection of `listener` that has no channel yet gets one. */
  announceAll(listener: NativeListener): void {
    const { owners } = this.tables
    for (const slot of this.binding.slotsOf(listener.number)) {
      if (this.channels[slot] === undefined && owners[slot] === listener.number) this.accept(slot)
    }
  }

  // --- sending

  // Whoever sends may be at the end of the stack, where any call throws: it comes before what it is to change.

  /** Room for `size` bytes (at most `outBytes`) in the out slab; returns where. It is nobody's before `queue`, called next, says whose. */
  reserve(size: number): number {
    const { control } = this
    const at = control[OUT]
    if (at + size <= OUT_BYTES && control[SEGMENTS] < MAX_SEGMENTS) return at
    this.flush()
    return 0
  }

  /** Queues what lies in the out slab from `at`, where `reserve` has said, to `end`. All of it, or nothing when this throws. */
  queue(slot: number, at: number, end: number): void {
    const { control, segments } = this
    const count = control[SEGMENTS]
    const last = 4 * count - 4
    if (
      count > 0 &&
      segments[last] === slot &&
      segments[last + 2] === at &&
      segments[last + 3] === KIND_OUT
    ) {
      segments[last + 2] = end
    } else {
      this.addSegment(count, slot, at, end, KIND_OUT)
    }
    control[OUT] = end
  }

  /** Queues bytes of the receive slab as they lie; only while the turn that delivered them runs. */
  forward(slot: number, start: number, end: number): void {
    if (slot !== this.forwardSlot || start !== this.forwardEnd) this.beginForward(slot, start)
    this.segments[this.forwardAt] = end
    this.forwardEnd = end
  }

  private beginForward(slot: number, start: number): void {
    if (this.control[SEGMENTS] === MAX_SEGMENTS) this.flush()
    const count = this.control[SEGMENTS]
    this.addSegment(count, slot, start, start, KIND_SLAB)
    this.forwardSlot = slot
    this.forwardAt = 4 * count + 2
  }

  end(slot: number): void {
    this.addOperation(slot, 0, 0, KIND_END)
  }

  close(slot: number, linger: number, always: boolean): void {
    this.addOperation(slot, linger, always ? 1 : 0, KIND_CLOSE)
  }

  flush(): void {
    this.forwardSlot = NONE
    if (this.control[SEGMENTS] > 0) this.binding.flush()
  }

  private addOperation(slot: number, first: number, second: number, kind: number): void {
    if (this.control[SEGMENTS] === MAX_SEGMENTS) this.flush()
    this.addSegment(this.control[SEGMENTS], slot, first, second, kind)
  }

  private addSegment(index: number, slot: number, start: number, end: number, kind: number): void {
    const { control, segments } = this
    const at = 4 * index
    // In a turn the addon looks when the turn is over.
    if (index === 0 && control[IN_TURN] === 0) process.nextTick(this.flushLater)
    this.forwardSlot = NONE
    segments[at] = slot
    segments[at + 1] = start
    segments[at + 2] = end
    segments[at + 3] = kind
    control[SEGMENTS] = index + 1
  }

  // --- turns

  private turn(runs: number, states: number): void {
    const table = this.tables.runs
    this.forwardSlot = NONE
    this.slab.beginTurn(this.endOfRuns(runs), this.control[KEEP] === 1)
    for (let at = 0; at < 4 * runs; at += 4) {
      const slot = table[at]
      const channel = this.channels[slot] ?? this.accept(slot)
      if (channel === undefined || channel.destroyed) continue
      try {
        if (table[at + 3] === 0) this.deliver(channel, table[at + 1], table[at + 2])
        else channel.deliverLarge(table[at + 1], table[at + 2])
      } catch (error) {
        rethrowLater(error)
      }
    }
    const rows = this.tables.states
    for (let at = 0; at < 4 * states; at += 4) {
      try {
        if (rows[at + 3] === 0) this.tellChannel(rows[at], rows[at + 1])
        else this.listeners.get(rows[at])?.tell(rows[at + 1], rows[at + 2])
      } catch (error) {
        rethrowLater(error)
      }
    }
    if (this.control[KEEP] === 0 && this.slab.renew()) this.useSlab()
  }

  /** Where in the slab the last frame of a turn ends. */
  private endOfRuns(runs: number): number {
    const { runs: table, rows } = this.tables
    for (let at = 4 * runs - 4; at >= 0; at -= 4) {
      if (table[at + 3] === 0) return rows[2 * (table[at + 1] + table[at + 2]) - 1]
    }
    return 0
  }

  private useSlab(): void {
    // What is forwarded out of the one before goes first.
    this.flush()
    this.tables.slab = this.slab.bytes
    this.binding.useSlab()
  }

  /** Memory that is read to again when this turn is over. */
  isBorrowed(memory: ArrayBufferLike): boolean {
    return this.slab.isLent(memory)
  }

  /** It is read to again by this hub, which knows when. */
  owns(memory: ArrayBufferLike): boolean {
    return this.slab.isLent(memory) || memory === this.lent?.bytes.buffer
  }

  /** For the other hubs: of large frames, too, they cannot tell until when they would read them. */
  lends(memory: ArrayBufferLike): boolean {
    return this.isBorrowed(memory) || (memory === this.lent?.bytes.buffer && !isGivenOf(this.lentBatch))
  }

  /** `batch` is the frame in `block`. */
  lend(block: Block, batch: FrameBatch): void {
    this.lent = block
    this.lentBatch = batch
  }

  takeBack(): void {
    this.lent = undefined
    this.lentBatch = NO_BATCH
  }

  private deliver(channel: NativeChannel, first: number, count: number): void {
    const { slab } = this
    const batch = new FrameBatch(slab.shown, slab.rows)
    batch.length = count
    batch.base = 2 * first
    batch.wireStart = batch.start(0) - channel.traits.prefix
    batch.seal = seal
    const size = batch.end(count - 1) - batch.wireStart
    batch.owned = slab.mayGive(count, size)
    this.framesReceived[channel.slot] += count
    if (channel.traits.forwards && slab.isBase) {
      this.forwardable = batch
      this.forwardableFrom = channel.traits
    }
    try {
      channel.events.channelBatch(batch)
    } finally {
      this.forwardable = NO_BATCH
      if (batch.given > 0) slab.took(count, size)
      batch.expire()
    }
  }

  private tellChannel(slot: number, bits: number): void {
    const closed = (bits & STATE_CLOSED) !== 0
    // Nobody has heard of it, and it is gone without a word: nothing to tell.
    const channel = this.channels[slot] ?? (bits === STATE_CLOSED ? undefined : this.accept(slot))
    if (closed) this.channels[slot] = undefined
    channel?.tell(bits)
    if (!closed) return
    const listener = this.listeners.get(this.tables.owners[slot])
    if (listener?.isClosed) listener.release()
  }

  private accept(slot: number): NativeChannel | undefined {
    const listener = this.listeners.get(this.tables.owners[slot])
    if (listener === undefined) {
      this.binding.destroy(slot)
      return undefined
    }
    const channel = listener.accept(slot)
    this.channels[slot] = channel
    listener.announce(channel)
    return channel
  }
}

/** Frames of it are somebody's who keeps them. */
function isGivenOf(batch: FrameBatch): boolean {
  return batch.owned && batch.given > 0
}

/** Reaches `uncaughtException` once everything else of this turn was delivered. */
function rethrowLater(error: unknown): void {
  process.nextTick(() => {
    throw error
  })
}
