/**
 * The slab that all connections read to, and the table of what lies in it. Where frames of middle size fill it and are kept, it is
 * given away with them instead of being copied, and another takes its place: fresh memory it takes either way. Knows memory
 * and how much of it is in use, not connections.
 */
import { fixedPieces, SEAL_IS_LOOSE } from '../../codec/node/fixed-memory.js'
import { seal } from '../../codec/node/seal.js'
import { allocate, shareFrom } from '../../codec/own-buffer.js'

const SLAB_BYTES = 256 * 1024
const ROWS_BYTES = 2 * 4 * 16 * 1024

export class ReceiveSlab {
  bytes: Buffer
  readonly rows: Uint32Array
  /** Frames were given away where they lie: nothing may be read to this slab any more. */
  isGiven = false
  /** What takes the slab's place. It is there before anything is given away: then it may not be missing. */
  #spare: Buffer | undefined
  #mayGive = false

  /** @param gives false where memory that others hold can be moved although it is sealed. */
  constructor(private readonly gives = !SEAL_IS_LOOSE) {
    const [bytes, rows] = fixedPieces(SLAB_BYTES, ROWS_BYTES)
    this.bytes = bytes
    this.rows = new Uint32Array(rows.buffer, rows.byteOffset, ROWS_BYTES / 4)
  }

  /** A turn brings frames that end at `end`; `isBusy`: more lies behind them. */
  beginTurn(end: number, isBusy: boolean): void {
    // A slab that is half empty would keep twice its frames' size alive.
    this.#mayGive = this.gives && !isBusy && 2 * end >= SLAB_BYTES && this.#hasSpare()
  }

  /** `count` frames of `size` bytes in all may be kept where they lie. */
  mayGive(count: number, size: number): boolean {
    return this.#mayGive && count * shareFrom(this.bytes) <= size
  }

  /** The next slab. */
  renew(): Buffer {
    this.bytes = this.#spare as Buffer
    this.#spare = undefined
    this.isGiven = false
    return this.bytes
  }

  #hasSpare(): boolean {
    try {
      this.#spare ??= sealed(SLAB_BYTES)
    } catch {
      // No memory for another: frames are copied one by one, and whoever cannot have that is told.
      return false
    }
    return true
  }
}

function sealed(bytes: number): Buffer {
  const buffer = allocate(bytes)
  seal(buffer.buffer)
  return buffer
}
