/**
 * Memory of large frames that nobody kept, for the next large frame: fresh memory of this size is mapped and cleared
 * page by page, which costs more than reading the frame. Knows sizes, who is still writing out of it, and that it may keep
 * little.
 */
import { allocate } from '../../codec/own-buffer.js'

/** Most bytes of all that are kept: one frame of the default `maxFrameLength`, or a few smaller ones. */
const MOST_BYTES = 16 * 1024 * 1024 + 64
const MOST_BLOCKS = 32

/** A connection that was given a frame to write. */
export interface Writer {
  /** It has handed its first `count` bytes to the kernel, or is closed: it reads none of them again. */
  isPast(count: number): boolean
}

/** A large frame's memory while it is delivered, and for as long as somebody writes it to a peer. */
export class Block {
  private readonly writers: Writer[] = []
  private readonly counts: number[] = []

  constructor(readonly bytes: Buffer) {}

  /** `writer` reads it until it has written its first `count` bytes. */
  writtenBy(writer: Writer, count: number): void {
    // The writer last: a push that throws, at the end of the stack, leaves no writer with another one's count.
    this.counts[this.writers.length] = count
    this.writers.push(writer)
  }

  get isFree(): boolean {
    return this.writers.every((writer, i) => writer.isPast(this.counts[i]))
  }
}

export class SpareBlocks {
  private readonly blocks: Block[] = []

  /** Exactly `size` bytes, uninitialised: whoever asked fills them before anybody sees them. */
  take(size: number): Buffer {
    const { blocks } = this
    for (let i = 0; i < blocks.length; i++) {
      const found = blocks[i]
      if (found.bytes.length !== size || !found.isFree) continue
      blocks[i] = blocks[blocks.length - 1]
      blocks.pop()
      return found.bytes
    }
    return allocate(size)
  }

  put(block: Block): void {
    const { blocks } = this
    blocks.push(block)
    // The oldest go first. One that was detached has length 0.
    while (blocks.length > MOST_BLOCKS || totalOf(blocks) > MOST_BYTES) blocks.shift()
  }
}

function totalOf(blocks: readonly Block[]): number {
  return blocks.reduce((total, block) => total + block.bytes.length, 0)
}
