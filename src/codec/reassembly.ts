/**
 * Reassembly: chunks of a stream, cut anywhere, become batches of whole frames. Knows one stream's unfinished frame
 * and its limit, not sockets, deadlines or consumers.
 *
 * Frames that lie whole in a chunk are named by offsets into that chunk. A frame that is cut is put together in memory
 * of its own, which doubles as bytes arrive: at most twice of them, whatever was declared, and up to 1 MiB behind another
 * large frame. Who reads the chunks may read to that memory, or let a frame that is cut go on where it lies: then it is not moved.
 */
import { FrameError, type FrameErrorDetails } from '../errors.js'
import type { CompiledFormat } from '../format.js'
import { FrameBatch, type FrameTable } from './batch.js'
import { FrameMemory } from './frame-memory.js'
import { copyBytes, type Seal } from './own-buffer.js'
import {
  readHeader,
  SCAN_BODY,
  SCAN_BOUNDARY,
  SCAN_FULL,
  SCAN_HEADER,
  SCAN_TOO_LARGE,
  type Scanner,
  ScanResult,
  scan,
} from './scan.js'
import { sniff } from './sniff.js'

/**
 * The table that deliveries use. Any number of streams may share one: it is only used while `push` runs, and
 * a `push` from inside a delivery of another stream gets one of its own.
 */
export class ScanSpace {
  /** Most frames of one batch. */
  readonly rows: number
  readonly table: FrameTable
  readonly seal: Seal | undefined
  readonly result = new ScanResult()
  busy = false
  readonly memory = new FrameMemory()

  /**
   * @param rows most frames of one batch; 8 bytes of table each.
   * @param seal for memory that several payloads lie in.
   */
  constructor(rows = 4096, seal?: Seal) {
    this.rows = rows
    this.seal = seal
    this.table = new Uint32Array(2 * rows)
  }
}

/** Gets the frames. The batch expires when it returns. */
export type FrameSink = (batch: FrameBatch) => void

/** Where in a frame the stream stands. */
export type Phase = 'boundary' | 'header' | 'body'

export interface ReassemblyOptions {
  /** Where deliveries are put together; one of its own by default. */
  readonly space?: ScanSpace
  /** Default: the JS scan. */
  readonly scanner?: Scanner
  /** Nobody writes to a pushed chunk again: payloads may be pieces of it. Default false. */
  readonly ownsChunks?: boolean
  /** Skip a frame over the limit, exactly as many bytes as it declares, and go on. Default false: the stream ends. */
  readonly discard?: boolean
}

/** Bytes of a frame that have to be here before it gets memory ahead of them, and the most that it gets. */
const TRUST_FROM = 16 * 1024
const TRUST_MOST = 1024 * 1024 + 64

export class Reassembly {
  readonly format: CompiledFormat
  /** Most bytes of a payload. */
  readonly limit: number
  /** Whole frames delivered so far. */
  frames = 0
  /** Memory is plenty: after a large frame, the next one may get some ahead of what arrives of it. */
  trusts = true
  /** With `discard`: frames skipped, and the payload bytes they declared. */
  discardedFrames = 0
  discardedBytes = 0
  /** Mean size, on the wire, of the frames of the last delivery if their payloads were taken to keep; else 0. */
  takenBytes = 0
  /** What ended this stream; sticky. */
  error: FrameError | null = null

  /** Bytes of the unfinished frame from its first on; null on a boundary. */
  private memory: Buffer | null = null
  private have = 0
  /** Its length on the wire, 0 while the header is not whole. */
  private frameLength = 0
  private payloadLength = 0
  /** Length of the last large frame that came in pieces. */
  private lastLarge = 0
  /** Bytes still to come of a frame that is thrown away. */
  private skip = 0
  private space: ScanSpace
  private readonly scanner: Scanner
  private ownsChunks: boolean
  /** Some of the unfinished frame's memory was lent to be read into. */
  private lent = false
  private readonly discard: boolean
  private pushing = false
  private stopped = false
  /** Own copies of chunks that came while a delivery ran, or of what a throwing sink left behind. */
  private readonly later: Uint8Array[] = []
  /** Bytes of the chunk in work that are dealt with. */
  private at = 0

  constructor(format: CompiledFormat, limit: number, options: ReassemblyOptions = {}) {
    this.format = format
    this.limit = limit
    this.space = options.space ?? new ScanSpace(1024)
    this.scanner = options.scanner ?? scan
    this.ownsChunks = options.ownsChunks ?? false
    this.discard = options.discard ?? false
  }

  /** Bytes of the unfinished frame that wait here, header included. */
  get held(): number {
    return this.have
  }

  /** Memory set aside for it, in bytes. */
  get reserved(): number {
    return this.memory === null ? 0 : this.memory.length
  }

  /** 'boundary': no byte of the next frame has come; 'header': its header is not whole; 'body': the rest is not. */
  get phase(): Phase {
    if (this.skip > 0) return 'body'
    if (this.have === 0) return 'boundary'
    return this.frameLength === 0 ? 'header' : 'body'
  }

  /**
   * Takes a chunk and delivers every frame that is whole by now. The chunk is not kept, unless
   * `ownsChunks`. Returns the protocol error
   * that ended the stream (`ERR_FRAME_TOO_LARGE`, `ERR_FRAME_LENGTH_INVALID`), from then on always the same one, or
   * null. A sink that throws throws out of here; what the chunk still holds is delivered by the next `push`.
   */
  push(chunk: Uint8Array, sink: FrameSink): FrameError | null {
    if (!this.isLive()) return this.error
    if (this.pushing) {
      this.later.push(copyBytes(chunk, 0, chunk.length))
      return null
    }
    const home = this.space
    if (home.busy) this.space = new ScanSpace(256, home.seal)
    this.space.busy = true
    this.pushing = true
    try {
      if (this.later.length > 0) this.catchUp(sink)
      this.work(chunk, sink)
      if (this.later.length > 0) this.catchUp(sink)
    } finally {
      this.pushing = false
      this.space.busy = false
      this.space = home
    }
    return this.error
  }

  /**
   * What is true of the chunks that are pushed from now on.
   * @param owned nobody writes to them again.
   */
  expect(owned: boolean): void {
    this.ownsChunks = owned
  }

  /** Memory of the unfinished frame in which its next bytes belong, if there are at least so many: what is read into it is not moved. */
  room(least: number): Buffer | undefined {
    const { memory, have } = this
    if (memory === null || this.frameLength === 0 || memory.length - have < least) return undefined
    this.lent = true
    return memory.subarray(have)
  }

  /** The stream ended. Returns `ERR_FRAME_TRUNCATED` when that was inside a frame. */
  end(): FrameError | null {
    if (this.error === null && this.phase !== 'boundary') {
      this.error = new FrameError('ERR_FRAME_TRUNCATED', this.describe(true))
    }
    return this.error
  }

  /**
   * What is known of the unfinished frame, for the error of a deadline or of a stream that ended: `declared` once its
   * header is whole, `received` (of the payload, else of the header), `hint`.
   * @param cutOff the input has ended, so a length that counts its header can be told.
   */
  describe(cutOff: boolean): FrameErrorDetails {
    const { format, limit, have, frameLength, payloadLength: declared } = this
    if (this.skip > 0) return { declared, received: Math.max(0, declared - this.skip) }
    if (this.memory === null) return {}
    const head = this.memory.subarray(0, have)
    const hint = sniff({ format, limit, head, first: this.isFirst(), cutOffAfter: cutOff ? have : 0 })
    if (frameLength === 0) return { received: have, hint }
    return { declared, received: Math.max(0, have - (frameLength - declared)), hint }
  }

  /** Nothing more is delivered, of the chunk in work neither; what is held is given back. */
  stop(): void {
    this.stopped = true
    this.takenBytes = 0
    this.skip = 0
    this.later.length = 0
    this.release()
  }

  private isLive(): boolean {
    return this.error === null && !this.stopped
  }

  private catchUp(sink: FrameSink): void {
    for (let chunk = this.later.shift(); chunk !== undefined; chunk = this.later.shift())
      this.work(chunk, sink)
  }

  private work(chunk: Uint8Array, sink: FrameSink): void {
    const { length } = chunk
    this.at = 0
    let thrown = true
    try {
      while (this.at < length && this.isLive()) {
        // Moved away by who got the frames in front: what was behind them cannot be read any more.
        if (chunk.length < length) this.fail(new FrameError('ERR_FRAME_PAYLOAD_DETACHED'))
        else if (this.skip > 0) this.skipSome(length)
        else if (this.have > 0) this.finishFrame(chunk, sink)
        else this.deliverWhole(chunk, sink)
      }
      thrown = false
    } finally {
      if (thrown && this.isLive() && chunk.length === length)
        this.later.unshift(copyBytes(chunk, this.at, length))
    }
  }

  private skipSome(length: number): void {
    const count = Math.min(this.skip, length - this.at)
    this.skip -= count
    this.at += count
  }

  /** Delivers the frames that lie whole in the chunk, and keeps a tail. */
  private deliverWhole(chunk: Uint8Array, sink: FrameSink): void {
    const { table, result, rows, seal } = this.space
    const from = this.at
    this.scanner(this.format, this.limit, chunk, from, chunk.length, table, 0, rows, result)
    // A delivery may use the result again (a push of this stream in it does not).
    const { status, payloadLength, frameLength } = result
    this.at = result.next
    // Frames behind these, and what is not whole yet, are still to be read from it.
    if (result.rows > 0 && this.ownsChunks) seal?.(chunk.buffer)
    if (result.rows > 0) this.deliver(chunk as Buffer, result.rows, from, this.ownsChunks, sink)
    if (!this.isLive() || status === SCAN_FULL || status === SCAN_BOUNDARY) return
    if (status === SCAN_HEADER || status === SCAN_BODY) {
      this.frameLength = status === SCAN_BODY ? frameLength : 0
      this.payloadLength = payloadLength
      if (this.at < chunk.length) this.append(chunk, chunk.length)
    } else {
      this.refuse(status, payloadLength, frameLength, chunk.subarray(this.at))
    }
  }

  /** Goes on with the unfinished frame; delivers it when it is whole. */
  private finishFrame(chunk: Uint8Array, sink: FrameSink): void {
    const need = this.frameLength > 0 ? this.frameLength : Math.max(this.format.headerBytes, this.have + 1)
    this.append(chunk, Math.min(chunk.length, this.at + need - this.have))
    if (this.have < need) return
    if (this.frameLength === 0 && !this.readHeld()) return
    if (this.have < this.frameLength) return
    const memory = this.memory as Buffer
    const { table } = this.space
    table[0] = this.frameLength - this.payloadLength
    table[1] = this.frameLength
    if (memory.length >= TRUST_FROM) this.lastLarge = memory.length
    this.release()
    this.deliver(memory, 1, 0, true, sink)
  }

  /** Reads the header of the unfinished frame; false when it is not whole yet or refused. */
  private readHeld(): boolean {
    const { result } = this.space
    const memory = this.memory as Buffer
    const status = readHeader(this.format, this.limit, memory, 0, this.have, result)
    if (status === SCAN_HEADER) return false
    if (status !== SCAN_BODY) {
      this.refuse(status, result.payloadLength, result.frameLength, memory.subarray(0, this.have))
      return false
    }
    this.frameLength = result.frameLength
    this.payloadLength = result.payloadLength
    return true
  }

  private deliver(bytes: Buffer, rows: number, wireStart: number, owned: boolean, sink: FrameSink): void {
    const { table, seal } = this.space
    const batch = new FrameBatch(bytes, table)
    batch.length = rows
    batch.wireStart = wireStart
    batch.owned = owned
    batch.seal = seal
    this.frames += rows
    try {
      sink(batch)
    } finally {
      this.takenBytes = batch.given === 0 ? 0 : (batch.end(rows - 1) - wireStart) / rows
      batch.expire()
    }
  }

  /** Moves `chunk[at..end)` to the unfinished frame, if it is not there already. */
  private append(chunk: Uint8Array, end: number): void {
    const count = end - this.at
    const memory = this.reserve(this.have + count)
    const isThere = this.lent && chunk.buffer === memory.buffer
    if (!isThere && count > 16) memory.set(chunk.subarray(this.at, end), this.have)
    else if (!isThere) for (let i = 0; i < count; i++) memory[this.have + i] = chunk[this.at + i]
    this.have += count
    this.at = end
  }

  /**
   * Room for `size` bytes: doubled, but never beyond the frame. After a large frame, another of up to its size gets its memory
   * in one piece as long as there is plenty.
   */
  private reserve(size: number): Buffer {
    const old = this.memory
    if (old !== null && old.length >= size) return old
    const most = this.frameLength > 0 ? this.frameLength : Number.POSITIVE_INFINITY
    const trusted = this.trusts && size >= TRUST_FROM ? Math.min(this.lastLarge, TRUST_MOST) : 0
    const grown = this.space.memory.allocate(Math.min(most, Math.max(2 * size, 16, trusted)))
    if (old !== null) grown.set(old.subarray(0, this.have))
    this.memory = grown
    this.lent = false
    return grown
  }

  private release(): void {
    this.memory = null
    this.lent = false
    this.have = 0
    this.frameLength = 0
  }

  /** The frame whose first bytes are `head` is not taken. */
  private refuse(status: number, declared: number, frameLength: number, head: Uint8Array): void {
    const { format, limit } = this
    if (this.discard && status === SCAN_TOO_LARGE && Number.isSafeInteger(frameLength)) {
      this.discardedFrames++
      this.discardedBytes += declared
      this.payloadLength = declared
      this.skip = frameLength - this.have
      this.release()
      return
    }
    const hint = sniff({ format, limit, head, first: this.isFirst(), cutOffAfter: 0 })
    this.fail(
      status === SCAN_TOO_LARGE
        ? new FrameError('ERR_FRAME_TOO_LARGE', { declared, limit, hint })
        : new FrameError('ERR_FRAME_LENGTH_INVALID', { hint }),
    )
  }

  private fail(error: FrameError): void {
    this.error = error
    this.later.length = 0
    this.release()
  }

  private isFirst(): boolean {
    return this.frames === 0 && this.discardedFrames === 0
  }
}
