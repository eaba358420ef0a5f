/**
 * Bytes that one socket has read in a turn with no time for them. They are dealt with in later turns, little by little.
 * Knows turns and slices, not sockets or frames.
 */
import type { ReadShare, Waiting } from './read-share.js'

/** How many are dealt with first; then twice as many, and so on for so long. */
const FIRST_SLICE = 1024
const SLICE_MS = 0.25

export interface LateOwner {
  /** Takes no bytes now. */
  readonly isPaused: boolean
  now(): number
  takeLate(bytes: Buffer): void
  /** They are all taken, which took so long: more may be read. */
  onCaughtUp(ms: number): void
  /** Somebody who was shown the bytes in front of these has taken the memory of all of them away. */
  onDetached(): void
}

export class LateBytes implements Waiting {
  readonly #owner: LateOwner
  readonly #share: ReadShare
  #bytes: Buffer | undefined
  #length = 0
  #ms = 0
  #isQueued = false

  constructor(owner: LateOwner, share: ReadShare) {
    this.#owner = owner
    this.#share = share
  }

  /** How many wait. */
  get length(): number {
    return this.#length
  }

  /** Nobody writes to `bytes` again. They are dealt with when {@link queue} or {@link goOn} is called. */
  add(bytes: Buffer): void {
    if (this.#bytes === undefined) {
      this.#bytes = bytes
      this.#ms = 0
    } else this.#bytes = Buffer.concat([this.#bytes, bytes])
    this.#length += bytes.length
  }

  /** They wait for their turn. */
  queue(): void {
    if (this.#isQueued) return
    this.#isQueued = true
    this.#share.later(this)
  }

  /** @param mostMs about how long it takes at most. */
  goOn(mostMs = SLICE_MS): void {
    this.#isQueued = false
    const owner = this.#owner
    const began = owner.now()
    let ms = 0
    for (let most = FIRST_SLICE; this.#length > 0 && !owner.isPaused && ms < mostMs; most *= 2) {
      this.#takeSlice(most)
      ms = owner.now() - began
    }
    this.#share.count(ms)
    this.#ms += ms
    if (owner.isPaused) return
    if (this.#length > 0) this.queue()
    else owner.onCaughtUp(this.#ms)
  }

  /** All of them at once. */
  takeAll(): void {
    if (this.#length > 0) this.#takeSlice(this.#length)
  }

  drop(): void {
    this.#bytes = undefined
    this.#length = 0
  }

  #takeSlice(most: number): void {
    const bytes = this.#bytes as Buffer
    if (bytes.length < this.#length) {
      this.drop()
      this.#owner.onDetached()
      return
    }
    const count = Math.min(most, bytes.length)
    // Before its consumer stops, or ends it all.
    this.#bytes = count < bytes.length ? bytes.subarray(count) : undefined
    this.#length -= count
    this.#owner.takeLate(bytes.subarray(0, count))
  }
}
