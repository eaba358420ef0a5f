/**
 * Memory of large frames that nobody kept, for the next large frame: fresh memory of this size is mapped and cleared
 * page by page, which costs more than reading the frame. Knows sizes, and that it may keep little.
 */
import { allocate } from '../../codec/own-buffer.js'

/** Most bytes of all that are kept: one frame of the default `maxFrameLength`, or a few smaller ones. */
const MOST_BYTES = 16 * 1024 * 1024 + 64
const MOST_BLOCKS = 32

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
    const { blocks } = this
    blocks.push(block)
    // The oldest go first. One that was detached has length 0.
    while (blocks.length > MOST_BLOCKS || totalOf(blocks) > MOST_BYTES) blocks.shift()
  }
}

function totalOf(blocks: readonly Buffer[]): number {
  return blocks.reduce((total, block) => total + block.length, 0)
}
