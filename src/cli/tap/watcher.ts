/**
 * Finds frames in bytes that pass by, without holding them: of a payload it keeps what is shown. Knows one direction of
 * one stream. What is no frame is told once; from then on it only counts.
 */
import { readHeader, SCAN_BODY, SCAN_HEADER, ScanResult } from '../../codec/scan.js'
import { type CompiledFormat, MAX_VARINT_BYTES } from '../../format.js'

export interface SeenFrame {
  /** Payload bytes. */
  readonly length: number
  /** The first bytes of the payload. */
  readonly head: Buffer
}

export interface WatcherEvents {
  onFrame(frame: SeenFrame): void
  /** The bytes are no frames of this format. */
  onLost(head: Buffer): void
}

export class FrameWatcher {
  readonly #format: CompiledFormat
  readonly #keep: number
  readonly #events: WatcherEvents
  readonly #result = new ScanResult()
  /** Bytes of a header that is not whole. */
  #header: Buffer = Buffer.alloc(0)
  /** Bytes still to come of the frame whose header was read, in front of its payload and of its payload. */
  #skip = 0
  #left = 0
  #length = 0
  #head: Buffer[] = []
  #inBody = false
  #lost = false

  /** `keep`: how many bytes of each payload are wanted. */
  constructor(format: CompiledFormat, keep: number, events: WatcherEvents) {
    this.#format = format
    this.#keep = keep
    this.#events = events
  }

  /** Bytes of an unfinished frame have passed. */
  get insideFrame(): boolean {
    return this.#inBody || this.#header.length > 0
  }

  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length && !this.#lost)
      at = this.#inBody ? this.#body(chunk, at) : this.#readHeader(chunk, at)
  }

  #readHeader(chunk: Buffer, at: number): number {
    const carried = this.#header.length
    // A header and everything `strip` may leave out in front of the payload is small; the chunk may be large.
    const most = this.#format.lengthOffset + MAX_VARINT_BYTES
    const bytes =
      carried === 0
        ? chunk.subarray(at, at + most)
        : Buffer.concat([this.#header, chunk.subarray(at, at + most)])
    const result = this.#result
    const status = readHeader(this.#format, Number.MAX_SAFE_INTEGER, bytes, 0, bytes.length, result)
    if (status === SCAN_HEADER) {
      this.#header = Buffer.from(bytes)
      return at + bytes.length - carried
    }
    if (status !== SCAN_BODY) {
      this.#lost = true
      this.#events.onLost(Buffer.from(bytes.subarray(0, 16)))
      return chunk.length
    }
    this.#inBody = true
    this.#length = result.payloadLength
    this.#skip = result.frameLength - result.payloadLength
    this.#left = result.payloadLength
    this.#header = Buffer.alloc(0)
    // What was carried belongs to the frame; it is never more than its header.
    if (carried > 0) this.#take(bytes, 0, carried)
    if (this.#skip === 0 && this.#left === 0) this.#finish()
    return at
  }

  #body(chunk: Buffer, at: number): number {
    const end = this.#take(chunk, at, chunk.length)
    if (this.#skip === 0 && this.#left === 0) this.#finish()
    return end
  }

  /** Counts bytes of the frame at hand; returns where they end. */
  #take(bytes: Buffer, from: number, to: number): number {
    const skipped = Math.min(this.#skip, to - from)
    this.#skip -= skipped
    const start = from + skipped
    const taken = Math.min(this.#left, to - start)
    const kept = this.#length - this.#left
    if (kept < this.#keep && taken > 0) {
      this.#head.push(Buffer.from(bytes.subarray(start, start + Math.min(taken, this.#keep - kept))))
    }
    this.#left -= taken
    return start + taken
  }

  #finish(): void {
    const head = this.#head.length === 1 ? this.#head[0] : Buffer.concat(this.#head)
    this.#inBody = false
    this.#head = []
    this.#events.onFrame({ length: this.#length, head })
  }
}
