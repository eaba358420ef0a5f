/** Memory that frames are put together in. Knows what becomes of it when it is freed, not what lies in it. */
import { allocate } from './own-buffer.js'

const LARGE = 64 * 1024
const ANCHOR_BYTES = 2048
const ANCHORS = 32
const SPARE_MOST = 512 * 1024

/**
 * Something small stays alive behind each of the last large pieces: with nothing there, the C library gives such memory back
 * to the system when it is freed, and asks for the same, page by page, for the next.
 */
export class FrameMemory {
  private readonly anchors: Uint8Array[] = []
  private count = 0
  /** Memory that a frame has grown out of: the next one begins with as much. */
  private spare: Buffer | undefined

  allocate(length: number): Buffer {
    const { spare } = this
    if (spare?.length === length) {
      this.spare = undefined
      return spare
    }
    const memory = allocate(length)
    if (length >= LARGE) this.anchors[this.count++ % ANCHORS] = allocate(ANCHOR_BYTES)
    return memory
  }

  /** Nobody has seen it, and nobody reads to it any more. */
  giveBack(memory: Buffer): void {
    if (memory.length >= LARGE && memory.length <= SPARE_MOST) this.spare = memory
  }
}
