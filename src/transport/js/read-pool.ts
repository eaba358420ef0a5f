/** The memory that the busy sockets of one js transport read to. Knows whether it is shared and how much of it there is, not sockets. */
import { fixedMemory, SEAL_IS_LOOSE } from '../../codec/node/fixed-memory.js'
import { addLender, type Lender } from '../lenders.js'

/** Most bytes of one read. Four times as many are no faster for small frames, and slower for large ones. */
export const READ_BYTES = 64 * 1024

const RUN_BYTES = 256 * 1024

/** Sockets that may have runs at a time: each keeps one alive while it is idle. */
const MOST_RUNS = 32

export class ReadPool implements Lender {
  #slab: Buffer | undefined
  #runs = 0
  readonly #mostRuns: number

  /** @param mostRuns 0 where what is given away of a run could be moved while it is read to. */
  constructor(mostRuns = SEAL_IS_LOOSE ? 0 : MOST_RUNS) {
    this.#mostRuns = mostRuns
  }

  /** Where sockets read one after the other: what is read is dealt with before the next one reads. */
  get slab(): Buffer {
    if (this.#slab === undefined) {
      this.#slab = fixedMemory(READ_BYTES)
      addLender(this)
    }
    return this.#slab
  }

  /** Somebody reads to this memory again. */
  lends(memory: ArrayBufferLike): boolean {
    return memory === this.#slab?.buffer
  }

  /** A socket begins to read to runs of its own; false: too many do. */
  beginRuns(): boolean {
    if (this.#runs === this.#mostRuns) return false
    this.#runs++
    return true
  }

  endRuns(): void {
    this.#runs--
  }

  /** Memory that is read to once, one read behind the other. */
  newRun(): Buffer {
    return fixedMemory(RUN_BYTES)
  }
}
