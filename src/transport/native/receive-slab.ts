/**
 * The slab that all connections read to, and the table of what lies in it. Where frames of middle size fill it and are kept, fresh
 * blocks take its place, which are given away with the frames instead of being copied: fresh memory it takes either way. A
 * block is read to before anybody sees it, and by one turn only: whoever takes it away by then harms nobody. Knows memory and
 * how much of it is in use, not connections.
 */
import { fixedPieces } from '../../codec/node/fixed-memory.js'
import { allocate, shareFrom } from '../../codec/own-buffer.js'

const SLAB_BYTES = 256 * 1024
const SHARE_FROM = shareFrom(SLAB_BYTES)
const ROWS_BYTES = 2 * 4 * 16 * 1024

export class ReceiveSlab {
  /** What is read to. */
  bytes: Buffer
  /** What of it is shown in this turn. */
  shown: Buffer
  readonly rows: Uint32Array
  /** The slab, which stays where it is: it is read to again and again. */
  readonly #base: Buffer
  #isFull = false
  #isTaken = false

  constructor() {
    const [bytes, rows] = fixedPieces(SLAB_BYTES, ROWS_BYTES)
    this.bytes = this.shown = this.#base = bytes
    this.rows = new Uint32Array(rows.buffer, rows.byteOffset, ROWS_BYTES / 4)
  }

  /** A turn brings frames that end at `end`; `isBusy`: more lies behind them, which is not to be seen yet. */
  beginTurn(end: number, isBusy: boolean): void {
    // A block that is half empty would keep twice its frames' size alive.
    this.#isFull = !isBusy && 2 * end >= SLAB_BYTES
    this.#isTaken = false
    this.shown = isBusy && !this.isBase ? Buffer.from(this.bytes.subarray(0, end)) : this.bytes
  }

  /** It is the slab that is read to, not a block. */
  get isBase(): boolean {
    return this.bytes === this.#base
  }

  /** It will be read to again although it was shown. */
  isLent(memory: ArrayBufferLike): boolean {
    return memory === this.#base.buffer
  }

  /** `count` frames of `size` bytes in all may be kept where they lie. */
  mayGive(count: number, size: number): boolean {
    return !this.isBase && this.#isWorth(count, size)
  }

  /** `count` frames of `size` bytes in all were kept, or some of them. */
  took(count: number, size: number): void {
    this.#isTaken ||= this.#isWorth(count, size)
  }

  /** The turn is over: true if another memory is read to from now on. Not to be asked while more lies behind what was shown. */
  renew(): boolean {
    const before = this.bytes
    this.bytes = this.#isTaken ? (blockOrNone() ?? this.#base) : this.#base
    return this.bytes !== before
  }

  #isWorth(count: number, size: number): boolean {
    return this.#isFull && count * SHARE_FROM <= size
  }
}

/** undefined: there is no memory for one. Frames are copied one by one then, and whoever cannot have that is told. */
function blockOrNone(): Buffer | undefined {
  try {
    return allocate(SLAB_BYTES)
  } catch {
    return undefined
  }
}
