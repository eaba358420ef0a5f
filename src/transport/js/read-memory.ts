/**
 * Where a busy socket's next bytes are read to, so that they are moved as little as possible: the rest of a large frame to
 * where that frame is put together; frames of middle size that the consumer keeps to a block of fresh memory, pieces of
 * which their payloads then are; everything else to the slab. Knows memory, not sockets.
 */
import { OwnBytes } from '../../codec/own-buffer.js'
import type { Reassembly } from '../../codec/reassembly.js'
import { READ_BYTES, type ReadPool } from './read-pool.js'

/** The rest of a frame is read by itself from here on. */
const LEAST_ROOM = 32 * 1024

/** Mean size of the frames that get blocks: payloads from 4 KiB on keep alive no more of one than 64 times themselves. */
const BLOCK_FRAME_LEAST = 4 * 1024
const BLOCK_FRAME_MOST = 64 * 1024

export class ReadMemory {
  /** Where the next read goes. */
  next: Buffer
  readonly #input: Reassembly
  readonly #pool: ReadPool
  #hasBlocks = false
  /** The last read was as much as one is worth a block for. */
  #isBusy = false
  /** It was read to {@link #block} or will be: nobody sees it before, and nothing is read to it again. */
  #block: Buffer | undefined

  constructor(input: Reassembly, pool: ReadPool) {
    this.#input = input
    this.#pool = pool
    this.next = pool.slab
  }

  /** `count` bytes were read to {@link next}: these, for the input. */
  take(count: number): Buffer {
    const { buffer, byteOffset } = this.next
    this.#input.expect(this.next === this.#block)
    this.#isBusy = count >= READ_BYTES
    return new OwnBytes(buffer, byteOffset, count)
  }

  /** The last read was to memory of the unfinished frame. */
  get isRoom(): boolean {
    return this.next.buffer !== this.#pool.slab.buffer && this.next !== this.#block
  }

  /** The last read was to memory that nothing is read to again. */
  get isBlock(): boolean {
    return this.next === this.#block
  }

  /** The input has what was read: chooses where to go on. Not `isMuch`: little is to be read at a time. */
  advance(isMuch: boolean): Buffer {
    this.next = this.#choose(isMuch)
    return this.next
  }

  /** The input does not have it yet: where to go on in any case. */
  reset(isMuch: boolean): Buffer {
    this.next = isMuch ? this.#pool.slab : this.#pool.little
    return this.next
  }

  /** The socket reads no more. */
  release(): void {
    this.#block = undefined
    if (this.#hasBlocks) this.#pool.endBlocks()
    this.#hasBlocks = false
  }

  #choose(isMuch: boolean): Buffer {
    const room = this.#input.room(LEAST_ROOM)
    if (room !== undefined) return room
    if (!isMuch) return this.#pool.little
    const { takenBytes } = this.#input
    if (takenBytes < BLOCK_FRAME_LEAST || takenBytes > BLOCK_FRAME_MOST) this.release()
    else if (this.#isBusy && (this.#hasBlocks || this.#pool.beginBlocks())) {
      this.#hasBlocks = true
      this.#block = this.#pool.newBlock()
      return this.#block
    }
    return this.#pool.slab
  }
}
