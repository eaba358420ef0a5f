/** What all channels of one listener or client may hold together, and read. Knows sums and who is idle, not whose bytes they are. */
import { READ_BYTES } from './read-pool.js'

/** One that has not read for so long gives way, ms. */
const IDLE_MS = 1000

export interface LargeReader {
  /** When it last read. */
  readonly activeAt: number
  /** It is no longer admitted, and reads little from its next read on. */
  readLittle(): void
}

/**
 * Which sockets may read much at a time. What a turn of the event loop has no time for waits in memory, and there has to
 * be enough of it when all of them bring that much in one turn.
 */
export class LargeReads {
  readonly #most: number
  readonly #readers = new Set<LargeReader>()

  /** @param most so many at a time. */
  constructor(most: number) {
    this.#most = most
  }

  /** Whether `reader` may read much until it asks again. */
  admit(reader: LargeReader, now: number): boolean {
    const readers = this.#readers
    if (readers.has(reader)) return true
    if (readers.size >= this.#most && !this.#makeRoom(now)) return false
    readers.add(reader)
    return true
  }

  leave(reader: LargeReader): void {
    this.#readers.delete(reader)
  }

  /** Looks at one of them, each time at another. */
  #makeRoom(now: number): boolean {
    for (const reader of this.#readers) {
      this.#readers.delete(reader)
      const isIdle = now - reader.activeAt >= IDLE_MS
      if (isIdle) reader.readLittle()
      else this.#readers.add(reader)
      return isIdle
    }
    return false
  }
}

/** The bytes they hold. */
export class Budget {
  readonly limit: number
  /** Who may read much at a time: with a quarter of it all of that can wait. */
  readonly largeReads: LargeReads
  #held = 0

  constructor(limit: number) {
    this.limit = limit
    this.largeReads = new LargeReads(Math.max(1, Math.floor(limit / 4 / READ_BYTES)))
  }

  get held(): number {
    return this.#held
  }

  get isExceeded(): boolean {
    return this.#held > this.limit
  }

  /** Half of it is left when `bytes` more are held. */
  hasPlenty(bytes: number): boolean {
    return 2 * (this.#held + bytes) <= this.limit
  }

  /** It is not exceeded when `bytes` more are held. */
  hasRoom(bytes: number): boolean {
    return this.#held + bytes <= this.limit
  }

  /** A channel holds `bytes` more, or less. */
  change(bytes: number): void {
    this.#held += bytes
  }
}
