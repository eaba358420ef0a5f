/** The memory that the busy sockets of one js transport read to. Knows whether it is shared and how much of it there is, not sockets. */
import { fixedMemory } from '../../codec/node/fixed-memory.js'
import { allocate } from '../../codec/own-buffer.js'
import { addLender, type Lender } from '../lenders.js'
import { LITTLE_BYTES } from './read-share.js'

/** Most bytes of one read to the slab. Four times as many are no faster for small frames, and slower for large ones. */
export const READ_BYTES = 64 * 1024

const BLOCK_BYTES = 256 * 1024

/** Sockets that may have blocks at a time: each keeps one alive while it is idle. */
const MOST_BLOCKS = 32

export class ReadPool implements Lender {
  #slab: Buffer | undefined
  #little: Buffer | undefined
  #blocks = 0

  /** Where sockets read one after the other: what is read is dealt with before the next one reads. */
  get slab(): Buffer {
    if (this.#slab === undefined) {
      this.#slab = fixedMemory(READ_BYTES)
      addLender(this)
    }
    return this.#slab
  }

  /** The front of the slab. Whoever fills it has more than a little. */
  get little(): Buffer {
    this.#little ??= this.slab.subarray(0, LITTLE_BYTES)
    return this.#little
  }

  /** Somebody reads to this memory again. */
  lends(memory: ArrayBufferLike): boolean {
    return memory === this.#slab?.buffer
  }

  /** A socket begins to read to blocks of its own; false: too many do. */
  beginBlocks(): boolean {
    if (this.#blocks === MOST_BLOCKS) return false
    this.#blocks++
    return true
  }

  endBlocks(): void {
    this.#blocks--
  }

  /** Memory for one read, which nobody has seen: whoever takes it away does so when nothing is read to it any more. */
  newBlock(): Buffer {
    return allocate(BLOCK_BYTES)
  }
}
