/** The memory that the busy sockets of one js transport read to. Knows whether it is shared and how much of it there is, not sockets. */
import { seal } from '../../codec/node/seal.js'

/** Most bytes of one read. Four times as many are no faster for small frames, and slower for large ones. */
export const READ_BYTES = 64 * 1024

const RUN_BYTES = 256 * 1024

/** Sockets that may have runs at a time: each keeps one alive while it is idle. */
const MOST_RUNS = 32

export class ReadPool {
  #slab: Buffer | undefined
  #runs = 0

  /** Where sockets read one after the other: what is read is dealt with before the next one reads. */
  get slab(): Buffer {
    this.#slab ??= memory(READ_BYTES)
    return this.#slab
  }

  /** Somebody reads to this memory again. */
  isBorrowed(buffer: ArrayBufferLike): boolean {
    return buffer === this.#slab?.buffer
  }

  /** A socket begins to read to runs of its own; false: too many do. */
  beginRuns(): boolean {
    if (this.#runs === MOST_RUNS) return false
    this.#runs++
    return true
  }

  endRuns(): void {
    this.#runs--
  }

  /** Memory that is read to once, one read behind the other. */
  newRun(): Buffer {
    return memory(RUN_BYTES)
  }
}

/** Sockets go on reading to it, and payloads lie in it side by side: it stays where it is, wherever it belongs by then. */
function memory(bytes: number): Buffer {
  const buffer = Buffer.allocUnsafeSlow(bytes)
  seal(buffer.buffer)
  return buffer
}
