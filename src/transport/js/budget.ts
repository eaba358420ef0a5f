/** What all channels of one listener or client may hold together, and read. Knows sums and who is idle, not whose bytes they are. */
import { READ_BYTES } from './read-pool.js'

/** One that has not read for so long gives way, ms. */
const IDLE_MS = 1000

export interface LargeReader {
  /** When it last read, on the clock of {@link now}. */
  readonly activeAt: number
  now(): number
  /** Its place among those who are admitted. */
  isAdmitted: boolean
  admittedBefore: LargeReader | undefined
  admittedBehind: LargeReader | undefined
  /** It is no longer admitted, and reads little from its next read on. */
  readLittle(): void
}

/**
 * Which sockets may read much at a time. What a turn of the event loop has no time for waits in memory, and there has to
 * be enough of it when all of them bring that much in one turn.
 *
 * They are linked through themselves: a Set's outgrown tables would keep those who come and go alive until they are collected.
 */
export class LargeReads {
  readonly #most: number
  #size = 0
  #first: LargeReader | undefined
  #last: LargeReader | undefined

  /** @param most so many at a time. */
  constructor(most: number) {
    this.#most = most
  }

  /** Whether `reader` may read much until it asks again. */
  admit(reader: LargeReader): boolean {
    if (reader.isAdmitted) return true
    if (this.#size >= this.#most && !this.#makeRoom()) return false
    this.#add(reader)
    return true
  }

  leave(reader: LargeReader): void {
    if (!reader.isAdmitted) return
    const { admittedBefore: before, admittedBehind: behind } = reader
    if (before === undefined) this.#first = behind
    else before.admittedBehind = behind
    if (behind === undefined) this.#last = before
    else behind.admittedBefore = before
    reader.isAdmitted = false
    reader.admittedBefore = reader.admittedBehind = undefined
    this.#size--
  }

  #add(reader: LargeReader): void {
    const last = this.#last
    if (last === undefined) this.#first = reader
    else last.admittedBehind = reader
    reader.isAdmitted = true
    reader.admittedBefore = last
    this.#last = reader
    this.#size++
  }

  /** Looks at one of them, each time at another. */
  #makeRoom(): boolean {
    const reader = this.#first as LargeReader
    this.leave(reader)
    const isIdle = reader.now() - reader.activeAt >= IDLE_MS
    if (isIdle) reader.readLittle()
    else this.#add(reader)
    return isIdle
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
