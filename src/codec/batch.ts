/**
 * FrameBatch: whole frames in one piece of memory, named by offsets. It knows bytes and a table, not where they
 * come from. Borrowed: a transport uses its bytes and its table again for every delivery, and makes a batch for each: one
 * that was kept must not come alive with the frames of the next delivery, which may be another connection's.
 */
import { FrameError, optionError } from '../errors.js'
import { copyBytes, copyRows, NEVER, OwnBytes, piece, type Seal, shareFrom } from './own-buffer.js'
import { readJson, readText } from './text.js'

/** Two entries a frame: where its payload starts in `bytes`, and where it ends. */
export type FrameTable = Uint32Array

/** What an expired batch is left with: it reaches no memory of anybody. */
const NO_BYTES: Buffer = new OwnBytes(0)
const NO_ROWS: FrameTable = new Uint32Array(0)

/**
 * Whole frames of one read, borrowed: valid until the callback that got it returns. After that every method throws
 * `ERR_FRAME_BATCH_EXPIRED`; what {@link copy} gave lives on.
 */
export class FrameBatch implements Iterable<Buffer> {
  /** The memory the frames lie in. Read it only between {@link start} and {@link end}. Empty once expired. */
  bytes: Buffer
  /** Frames in this batch. 0 once expired. */
  length = 0
  /** @internal */ table: FrameTable
  /** @internal Index in `table` of the first frame's start. */
  base = 0
  /** @internal Where the first frame's header starts; frames lie one behind the other from there. */
  wireStart = 0
  /** @internal Set by {@link expire}, for good. */
  expired = false
  /** @internal Nobody writes to `bytes` again: a payload that is large beside it is given away, not copied. */
  owned = false
  /** @internal Payloads below this index were taken before; another copy of them is a copy. */
  given = 0
  /** @internal For memory that copies are cut from together. */
  seal: Seal | undefined = undefined

  constructor(bytes: Buffer, table: FrameTable) {
    this.bytes = bytes
    this.table = table
  }

  /**
   * Offset in `bytes` of the first byte of payload `i`. Unchecked: `i` must be a whole number below {@link length}.
   * undefined once expired.
   */
  start(i: number): number {
    return this.table[this.base + 2 * i]
  }

  /** Offset in `bytes` behind the last byte of payload `i`. Unchecked, as {@link start}. */
  end(i: number): number {
    return this.table[this.base + 2 * i + 1]
  }

  /**
   * Payload `i` in memory of its own, to keep.
   * @throws {RangeError} no such frame. {FrameError} `ERR_FRAME_BATCH_EXPIRED`; `ERR_FRAME_PAYLOAD_DETACHED`: the memory was
   * transferred in this callback. All of it holds for all methods below.
   */
  copy(i: number): Buffer {
    this.check(i)
    const { bytes, table } = this
    const entry = this.base + 2 * i
    const start = table[entry]
    const end = table[entry + 1]
    const isGiven = this.owned && i >= this.given && end - start >= shareFrom(bytes.buffer.byteLength)
    this.given = Math.max(this.given, i + 1)
    if (!isGiven) return copyBytes(bytes, start, end)
    return piece(bytes, start, end - start)
  }

  /** Payload `i` where it lies, borrowed: its bytes are overwritten once the callback has returned. */
  view(i: number): Buffer {
    this.check(i)
    const { bytes, table } = this
    const entry = this.base + 2 * i
    return piece(bytes, table[entry], table[entry + 1] - table[entry])
  }

  /** Payload `i` read as UTF-8; what is not UTF-8 becomes U+FFFD. */
  text(i: number): string {
    this.check(i)
    const entry = this.base + 2 * i
    return readText(this.bytes, this.table[entry], this.table[entry + 1])
  }

  /**
   * Payload `i` parsed as JSON.
   * @throws {SyntaxError} it is not JSON.
   */
  json(i: number): unknown {
    this.check(i)
    const entry = this.base + 2 * i
    return readJson(this.bytes, this.table[entry], this.table[entry + 1])
  }

  /** Every payload in memory of its own, appended to `out`. Cheaper than {@link copy} one by one. */
  copyAll(out: Buffer[] = []): Buffer[] {
    if (this.expired) throw new FrameError('ERR_FRAME_BATCH_EXPIRED')
    const share = this.owned && this.given === 0 ? shareFrom(this.bytes.buffer.byteLength) : NEVER
    copyRows(this.bytes, this.table, this.base, 0, this.length, out, share, this.seal)
    this.given = this.length
    return out
  }

  /**
   * @internal Payloads `from` to `to` as {@link copyAll} gives them. For those who hand them on one by one: what was made for
   * thousands at once is no longer young when it is thrown away.
   */
  copyRun(from: number, to: number): Buffer[] {
    const out: Buffer[] = []
    const share = this.owned && this.given <= from ? shareFrom(this.bytes.buffer.byteLength) : NEVER
    copyRows(this.bytes, this.table, this.base, from, to, out, share, this.seal)
    this.given = to
    return out
  }

  /** The payloads as {@link view} gives them. A loop that goes on after the callback is told so, not ended. */
  *[Symbol.iterator](): Iterator<Buffer> {
    if (this.expired) throw new FrameError('ERR_FRAME_BATCH_EXPIRED')
    const { length } = this
    for (let i = 0; i < length; i++) yield this.view(i)
  }

  /**
   * @internal The frames from `from` on, headers included, in memory of their own: what a paused connection keeps.
   */
  detach(from = 0): FrameBatch {
    if (from < this.length) this.check(from)
    const rows = Math.max(0, this.length - from)
    const wireStart = from === 0 ? this.wireStart : this.end(from - 1)
    const wireEnd = rows === 0 ? wireStart : this.end(this.length - 1)
    // Memory of our own is kept as it is where four fifths of it are this batch, and half of it is still wanted.
    const memory = this.bytes.buffer.byteLength
    const isMostly = 5 * (wireEnd - this.wireStart) >= 4 * memory && 2 * (wireEnd - wireStart) >= memory
    const isWhole = this.owned && this.given <= from && isMostly
    const bytes = isWhole ? this.bytes : copyBytes(this.bytes, wireStart, wireEnd)
    const offset = isWhole ? 0 : wireStart
    const batch = new FrameBatch(bytes, new Uint32Array(2 * rows))
    batch.length = rows
    batch.wireStart = wireStart - offset
    batch.seal = this.seal
    for (let i = 0; i < 2 * rows; i++) batch.table[i] = this.table[this.base + 2 * from + i] - offset
    // Nobody writes to the copy either, unless it was cut from what others lie in.
    batch.owned = isWhole || bytes.buffer.byteLength === bytes.length
    if (isWhole) this.given = this.length
    else if (batch.owned && rows > 1) this.seal?.(bytes.buffer)
    return batch
  }

  /** @internal The callback has returned: from now on use of this batch throws. */
  expire(): void {
    this.length = 0
    this.expired = true
    this.bytes = NO_BYTES
    this.table = NO_ROWS
  }

  /** @internal Somebody has transferred the memory, with payloads in it that were not delivered yet. */
  get isDetached(): boolean {
    return this.bytes.length === 0 && this.length > 0 && this.end(this.length - 1) > 0
  }

  private check(i: number): void {
    if (i >>> 0 === i && i < this.length && !this.isDetached) return
    if (this.expired) throw new FrameError('ERR_FRAME_BATCH_EXPIRED')
    if (this.isDetached) throw new FrameError('ERR_FRAME_PAYLOAD_DETACHED')
    throw new RangeError(`frame ${String(i)} of a batch of ${this.length}`)
  }
}

/**
 * A batch from outside, before it is asked for a payload. A batch of another copy of the package is one too.
 * @throws {TypeError} `ERR_FRAME_OPTION_INVALID`.
 */
export function checkBatch(batch: FrameBatch): FrameBatch {
  const value = batch as Partial<FrameBatch> | null | undefined
  if (typeof value?.view !== 'function' || typeof value.end !== 'function')
    throw optionError('batch', 'a FrameBatch', batch)
  return batch
}
