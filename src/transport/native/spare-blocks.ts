/**
 * Memory of large frames that nobody kept, for the next large frame: fresh memory of this size is mapped and cleared
 * page by page, which costs more than reading the frame. Knows sizes, and that it may keep little.
 */
import { allocate } from '../../codec/own-buffer.js'

/** Blocks larger than this are not kept. */
const MAX_BYTES = 1024 * 1024 + 64
const MAX_BLOCKS = 4

export class SpareBlocks {
  private readonly blocks: Buffer[] = []

  /** Exactly `size` bytes, uninitialised: whoever asked fills them before anybody sees them. */
  take(size: number): Buffer {
    const { blocks } = this
    for (let i = 0; i < blocks.length; i++) {
      if (blocks[i].length !== size) continue
      const found = blocks[i]
      blocks[i] = blocks[blocks.length - 1]
      blocks.pop()
      return found
    }
    return allocate(size)
  }

  put(block: Buffer): void {
    // A detached one has length 0.
    if (block.length === 0 || block.length > MAX_BYTES) return
    if (this.blocks.length === MAX_BLOCKS) this.blocks.shift()
    this.blocks.push(block)
  }
}
