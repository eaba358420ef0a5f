/**
 * Reassembly: chunks of a stream, cut anywhere, become batches of whole frames. Knows one stream's unfinished frame
 * and its limit, not sockets, deadlines or consumers.
 *
 * Frames that lie whole in a chunk are named by offsets into that chunk. A frame that is cut is put together in memory
 * of its own, which doubles as bytes arrive and so is never ahead of them by more than that, whatever was declared.
 */
import { FrameError } from '../errors.js'
import type { CompiledFormat } from '../format.js'
import { FrameBatch } from './batch.js'
import { allocate, copyBytes, OwnBytes } from './own-buffer.js'
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
import { sniff, sniffTruncated } from './sniff.js'

/**
 * The table and batch that deliveries use. Any number of streams may share one: it is only used while `push` runs, and
 * a `push` from inside a delivery of another stream gets one of its own.
 */
export class ScanSpace {
  readonly rows: number
  readonly batch: FrameBatch
  readonly result = new ScanResult()
  readonly nothing: Buffer = new OwnBytes(0)
  busy = false

  /** @param rows most frames of one batch; 8 bytes each. */
  constructor(rows = 4096) {
    this.rows = rows
    this.batch = new FrameBatch(this.nothing, new Uint32Array(2 * rows))
  }
}

/** Gets the frames. The batch expires when it returns. */
export type FrameSink = (batch: FrameBatch) => void

/** Where in a frame the stream stands. */
export type Phase = 'boundary' | 'header' | 'body'

export class Reassembly {
  readonly format: CompiledFormat
  readonly limit: number
  /** Whole frames delivered so far. */
  frames = 0
  /** What ended this stream; sticky. */
  error: FrameError | null = null

  /** Bytes of the unfinished frame, from its first; null on a boundary. */
  private memory: Buffer | null = null
  private have = 0
  /** Its length on the wire, 0 while the header is not whole. */
  private frameLength = 0
  private payloadLength = 0
  private space: ScanSpace
  private readonly scanner: Scanner
  private pushing = false
  private stopped = false
  /** Chunks that came while a delivery ran, or that a throwing sink left behind; copies. */
  private readonly later: Uint8Array[] = []
  /** Bytes of the chunk in work that are dealt with. */
  private at = 0

  constructor(format: CompiledFormat, limit: number, space = new ScanSpace(1024), scanner: Scanner = scan) {
    this.format = format
    this.limit = limit
    this.space = space
    this.scanner = scanner
  }

  /** Bytes of the unfinished frame, header included. */
  get held(): number {
    return this.have
  }

  /** Memory set aside for it. */
  get reserved(): number {
    return this.memory === null ? 0 : this.memory.length
  }

  /** 'boundary': no byte of the next frame has come; 'header': its header is not whole; 'body': the rest is not. */
  get phase(): Phase {
    if (this.have === 0) return 'boundary'
    return this.frameLength === 0 ? 'header' : 'body'
  }

  /**
   * Takes a chunk and delivers every frame that is whole by now. The chunk is not kept. Returns the protocol error
   * that ended the stream (`ERR_FRAME_TOO_LARGE`, `ERR_FRAME_LENGTH_INVALID`), from then on always the same, or null. A
   * sink that throws throws out of here; what the chunk still holds is delivered by the next `push`.
   */
  push(chunk: Uint8Array, sink: FrameSink): FrameError | null {
    if (this.error !== null || this.stopped) return this.error
    if (this.pushing) {
      this.later.push(copyBytes(chunk, 0, chunk.length))
      return null
    }
    const shared = this.space
    if (shared.busy) this.space = new ScanSpace(256)
    this.space.busy = true
    this.pushing = true
    try {
      while (this.later.length > 0 && this.isLive()) this.work(this.later.shift() as Uint8Array, sink, true)
      if (this.isLive()) this.work(chunk, sink, false)
      while (this.later.length > 0 && this.isLive()) this.work(this.later.shift() as Uint8Array, sink, true)
    } finally {
      this.pushing = false
      this.space.busy = false
      this.space = shared
    }
    return this.error
  }

  /** The stream ended. Returns `ERR_FRAME_TRUNCATED` when that was inside a frame. */
  end(): FrameError | null {
    if (this.error === null && this.have > 0) this.error = this.truncated()
    return this.error
  }

  /** Nothing more is delivered, also of the chunk in work; what is held is given back. */
  stop(): void {
    this.stopped = true
    this.later.length = 0
    this.release()
  }

  private isLive(): boolean {
    return this.error === null && !this.stopped
  }

  private work(chunk: Uint8Array, sink: FrameSink, own: boolean): void {
    this.at = 0
    let done = false
    try {
      if (this.have > 0) this.resume(chunk, sink)
      if (this.have === 0) this.deliverWhole(chunk, sink)
      done = true
    } finally {
      if (!done && this.at < chunk.length && this.isLive()) {
        this.later.unshift(own ? chunk.subarray(this.at) : copyBytes(chunk, this.at, chunk.length))
      }
    }
  }

  /** Delivers what lies whole in the chunk and keeps its tail. */
  private deliverWhole(chunk: Uint8Array, sink: FrameSink): void {
    const { batch, result, rows } = this.space
    const to = chunk.length
    let status = SCAN_FULL
    while (status === SCAN_FULL && this.isLive()) {
      const from = this.at
      this.scanner(this.format, this.limit, chunk, from, to, batch.table, 0, rows, result)
      status = result.status
      this.at = result.next
      const { payloadLength, frameLength } = result
      if (result.rows > 0) this.deliver(chunk as Buffer, result.rows, from, false, sink)
      if (!this.isLive()) return
      if (status === SCAN_HEADER || status === SCAN_BODY) {
        this.frameLength = status === SCAN_BODY ? frameLength : 0
        this.payloadLength = payloadLength
        this.append(chunk, to)
      } else if (status !== SCAN_FULL && status !== SCAN_BOUNDARY) {
        this.fail(status, payloadLength, chunk, this.at, to)
      }
    }
  }

  /** Goes on with the unfinished frame; delivers it when it is whole. */
  private resume(chunk: Uint8Array, sink: FrameSink): void {
    const { result, batch } = this.space
    for (;;) {
      const need = this.frameLength > 0 ? this.frameLength : Math.max(this.format.headerBytes, this.have + 1)
      this.append(chunk, Math.min(chunk.length, this.at + need - this.have))
      if (this.have < need) return
      if (this.frameLength > 0) break
      const memory = this.memory as Buffer
      const status = readHeader(this.format, this.limit, memory, 0, this.have, result)
      if (status === SCAN_BODY) {
        this.frameLength = result.frameLength
        this.payloadLength = result.payloadLength
        if (this.have === this.frameLength) break
      } else if (status !== SCAN_HEADER) {
        this.fail(status, result.payloadLength, memory, 0, this.have)
        return
      }
    }
    const memory = this.memory as Buffer
    batch.table[0] = this.frameLength - this.payloadLength
    batch.table[1] = this.frameLength
    this.release()
    this.deliver(memory, 1, 0, true, sink)
  }

  private deliver(bytes: Buffer, rows: number, wireStart: number, owned: boolean, sink: FrameSink): void {
    const { batch, nothing } = this.space
    batch.bytes = bytes
    batch.base = 0
    batch.length = rows
    batch.wireStart = wireStart
    batch.region = -1
    batch.owned = owned
    batch.expired = false
    this.frames += rows
    try {
      sink(batch)
    } finally {
      batch.expire()
      batch.bytes = nothing
    }
  }

  /** Moves `chunk[at..end)` to the unfinished frame. */
  private append(chunk: Uint8Array, end: number): void {
    const count = end - this.at
    if (count <= 0) return
    const memory = this.reserve(this.have + count)
    if (count <= 16) for (let i = 0; i < count; i++) memory[this.have + i] = chunk[this.at + i]
    else memory.set(chunk.subarray(this.at, end), this.have)
    this.have += count
    this.at = end
  }

  /** Room for `size` bytes: doubled, but never beyond the frame. */
  private reserve(size: number): Buffer {
    const old = this.memory
    if (old !== null && old.length >= size) return old
    const most = this.frameLength > 0 ? this.frameLength : Math.max(size, this.format.headerBytes + 9)
    const grown = allocate(Math.min(most, Math.max(size, 2 * this.have, 2 * size)))
    if (old !== null) grown.set(old.subarray(0, this.have))
    this.memory = grown
    return grown
  }

  private release(): void {
    this.memory = null
    this.have = 0
    this.frameLength = 0
  }

  private fail(status: number, declared: number, bytes: Uint8Array, from: number, to: number): void {
    const { format, limit } = this
    const hint = sniff({ format, limit, bytes, from, to, first: this.frames === 0 })
    this.error =
      status === SCAN_TOO_LARGE
        ? new FrameError('ERR_FRAME_TOO_LARGE', { declared, limit, hint })
        : new FrameError('ERR_FRAME_LENGTH_INVALID', { hint })
    this.later.length = 0
    this.release()
  }

  private truncated(): FrameError {
    const { format, limit, have: to } = this
    const frame = { format, limit, bytes: this.memory as Buffer, from: 0, to, first: this.frames === 0 }
    if (this.frameLength === 0) {
      return new FrameError('ERR_FRAME_TRUNCATED', { received: this.have, hint: sniff(frame) })
    }
    const declared = this.payloadLength
    const received = Math.max(0, this.have - (this.frameLength - declared))
    return new FrameError('ERR_FRAME_TRUNCATED', {
      declared,
      received,
      hint: sniffTruncated(frame, declared, received),
    })
  }
}
