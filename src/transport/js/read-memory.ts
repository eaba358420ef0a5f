/**
 * Where a busy socket's next bytes are read to, so that they are moved as little as possible: the rest of a large frame to
 * where that frame is put together; frames of middle size that the consumer keeps to a run of fresh memory, pieces of
 * which their payloads then are; everything else to the slab. Knows memory, not sockets.
 */
import { OwnBytes } from '../../codec/own-buffer.js'
import type { Reassembly } from '../../codec/reassembly.js'
import { READ_BYTES, type ReadPool } from './read-pool.js'

/** The rest of a frame is read by itself from here on. */
const LEAST_ROOM = 32 * 1024

/** A read behind the last whole frame of a run must be worth its call. */
const LEAST_RUN = 16 * 1024

/** Mean size of the frames that get runs: payloads from 4 KiB on keep alive no more of one than 64 times themselves. */
const RUN_FRAME_LEAST = 4 * 1024
const RUN_FRAME_MOST = 64 * 1024

export class ReadMemory {
  /** Where the next read goes. */
  next: Buffer
  readonly #input: Reassembly
  readonly #pool: ReadPool
  #hasRuns = false
  #run: Buffer | undefined
  /** Bytes of the run that were read to. */
  #used = 0

  constructor(input: Reassembly, pool: ReadPool) {
    this.#input = input
    this.#pool = pool
    this.next = pool.slab
  }

  /** `count` bytes were read to {@link next}: these, for the input. */
  take(count: number): Buffer {
    const { buffer, byteOffset } = this.next
    const isRun = buffer === this.#run?.buffer
    if (isRun) this.#used += count
    this.#input.expect(isRun, isRun ? this.#left : 0)
    return new OwnBytes(buffer, byteOffset, count)
  }

  /** The input has what was read: chooses where to go on, with at most so many bytes where they may be tiny frames. */
  advance(most: number): Buffer {
    this.next = this.#choose(most)
    return this.next
  }

  /** The socket reads no more. */
  release(): void {
    this.#run = undefined
    if (this.#hasRuns) this.#pool.endRuns()
    this.#hasRuns = false
  }

  get #left(): number {
    return this.#run === undefined ? 0 : this.#run.length - this.#used
  }

  #choose(most: number): Buffer {
    const run = this.#run
    if (run !== undefined && this.#input.liesIn(run)) return this.#window(run)
    const room = this.#input.room(LEAST_ROOM)
    if (room !== undefined) return room
    const { takenBytes } = this.#input
    if (takenBytes < RUN_FRAME_LEAST || takenBytes > RUN_FRAME_MOST) this.release()
    else if (run !== undefined && this.#left >= LEAST_RUN) return this.#window(run)
    else if (this.#hasRuns || this.#pool.beginRuns()) {
      this.#hasRuns = true
      this.#run = this.#pool.newRun()
      this.#used = 0
      return this.#window(this.#run)
    }
    const { slab } = this.#pool
    return most < slab.length ? slab.subarray(0, most) : slab
  }

  #window(run: Buffer): Buffer {
    return new OwnBytes(run.buffer, run.byteOffset + this.#used, Math.min(READ_BYTES, this.#left))
  }
}
