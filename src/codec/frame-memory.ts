/** Memory that frames are put together in. Knows what becomes of it when it is freed, not what lies in it. */
import { allocate } from './own-buffer.js'

const LARGE = 64 * 1024
const ANCHOR_BYTES = 2048
const ANCHORS = 32

/**
 * Something small stays alive behind each of the last large pieces: with nothing there, the C library gives such memory back
 * to the system when it is freed, and asks for the same, page by page, for the next.
 */
export class FrameMemory {
  private readonly anchors: Uint8Array[] = []
  private count = 0

  allocate(length: number): Buffer {
    const memory = allocate(length)
    if (length >= LARGE) this.anchors[this.count++ % ANCHORS] = allocate(ANCHOR_BYTES)
    return memory
  }
}
