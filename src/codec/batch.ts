/**
 * FrameBatch: whole frames in one piece of memory, named by offsets. It knows bytes and a table, not where they
 * come from. Borrowed: a transport reuses one batch, its bytes and its table for every delivery.
 */

/** Two entries a frame: where its payload starts in `bytes`, and where it ends. */
export type FrameTable = Uint32Array

export class FrameBatch implements Iterable<Uint8Array> {
  /** The memory the frames lie in. Read it only between {@link start} and {@link end}. */
  bytes: Buffer
  /** Frames in this batch. */
  length = 0
  /** @internal */ table: FrameTable
  /** @internal Index in `table` of the first frame's start. */
  base = 0
  /** @internal Where the first frame's header starts; frames lie one behind the other from there. */
  wireStart = 0
  /** @internal Which of the transport's memories `bytes` is; -1: one of its own. */
  region = -1

  constructor(bytes: Buffer, table: FrameTable) {
    this.bytes = bytes
    this.table = table
  }

  /** Offset in `bytes` of the first byte of payload `i`. */
  start(i: number): number {
    return this.table[this.base + 2 * i]
  }

  /** Offset in `bytes` behind the last byte of payload `i`. */
  end(i: number): number {
    return this.table[this.base + 2 * i + 1]
  }

  *[Symbol.iterator](): Iterator<Uint8Array> {
    for (let i = 0; i < this.length; i++) yield this.bytes.subarray(this.start(i), this.end(i))
  }
}
