/**
 * What a channel has still to write: pieces in the order they were sent, one group of them at a time in the hands of
 * the stream. Knows bytes and whose memory they lie in, not frames.
 *
 * A stream that could pass a group on at once has done so when `write` returns; only then is the slab's memory free
 * again. Otherwise the slab is lent, and pieces that must wait are copied out of it.
 */
import type { Duplex } from 'node:stream'
import { OwnBytes } from '../../codec/own-buffer.js'
import { argumentError } from '../../errors.js'
import { unwrittenBytes } from './kernel-queue.js'
import type { OutSlab, Slab } from './out-slab.js'

/**
 * 'socket': what it has passed on is with the kernel, and it can be closed without ending it first. 'tls': must be ended
 * first. 'duplex': anything; it may keep the memory it is given beyond the callback.
 */
export type StreamKind = 'socket' | 'tls' | 'duplex'

/** One group: the bytes of which, after a loss, it is not known whether they were written. */
const GROUP_BYTES = 256 * 1024
const GROUP_PIECES = 256

/** Waiting pieces are copied together into memory of at least this size. */
const TAIL_BYTES = 4096

interface Piece {
  bytes: Uint8Array
  /** Its length when it was queued: memory of the caller that was detached or resized since is not sent. */
  length: number
  /** The slab it lies in; undefined: own memory, or the caller's. */
  slab: Slab | undefined
  readonly queuedAt: number
}

export class OutQueue {
  /** Bytes of the group in the stream's hands that it may or may not have passed on. */
  inFlight = 0
  /** Bytes the stream has passed on. */
  passedOn = 0
  /** When the oldest byte that waits was queued. */
  oldestAt = 0
  readonly #stream: Duplex
  readonly #slabs: OutSlab
  readonly #kind: StreamKind
  readonly #onDone: () => void
  /** Size of the group in the stream's hands. */
  #groupBytes = 0
  #pieces: Piece[] = []
  /** Pieces before this one lie in no slab. */
  #settled = 0
  #lent: Slab[] = []
  /** Groups the stream passed on at once whose callback is still to come. */
  #early = 0
  /** Memory of the last piece, filled up to `#tailAt`, when that is a copy. */
  #tail: Buffer | undefined
  #tailAt = 0

  /** @param onDone called, in a tick of its own, after the stream has passed on a group. */
  constructor(stream: Duplex, slabs: OutSlab, kind: StreamKind, onDone: () => void) {
    this.#stream = stream
    this.#slabs = slabs
    this.#kind = kind
    this.#onDone = onDone
  }

  pushPiece(bytes: Uint8Array, slab: Slab, now: number): void {
    this.#pieces.push({ bytes, length: bytes.length, slab, queuedAt: now })
  }

  /** A whole frame, or a header and its payload: all of it is queued, or nothing when this throws. */
  pushFrame(frame: Uint8Array, payload: Uint8Array | undefined, now: number): void {
    const first: Piece = { bytes: frame, length: frame.length, slab: undefined, queuedAt: now }
    if (payload === undefined) this.#pieces.push(first)
    else this.#pieces.push(first, { bytes: payload, length: payload.length, slab: undefined, queuedAt: now })
  }

  /**
   * Hands groups to the stream until it keeps one; moves what must wait out of the slab.
   * @throws {TypeError} `ERR_FRAME_PAYLOAD_DETACHED`: memory of the caller is gone, nothing right can follow.
   */
  pump(): void {
    const stream = this.#stream
    while (this.inFlight === 0 && this.#pieces.length > 0 && stream.errored === null && !stream.destroyed) {
      this.#writeGroup()
    }
    this.#settle()
  }

  /** Counts what the kernel has of a group that is not through. Returns whether that is more than was known. */
  look(): boolean {
    const left = this.#unwritten()
    // The last byte is the callback's to tell.
    return left !== undefined && this.#leave(Math.max(1, left))
  }

  /** The stream is about to be destroyed, which cuts off its write: the last moment to ask what the kernel has. */
  stop(): void {
    const left = this.#unwritten()
    if (left === undefined) return
    this.#leave(left)
    // On Windows a write that has begun may go on.
    if (process.platform !== 'win32') this.inFlight = 0
  }

  #unwritten(): number | undefined {
    if (this.#kind !== 'socket' || this.inFlight === 0) return undefined
    return unwrittenBytes(this.#stream, this.#groupBytes)
  }

  #leave(left: number): boolean {
    const more = this.inFlight - left
    if (more <= 0) return false
    this.passedOn += more
    this.inFlight = left
    return true
  }

  /** The stream is closed: forgets what waits, and takes back what was lent. */
  clear(): void {
    for (const slab of this.#lent) this.#slabs.giveBack(slab)
    this.#lent.length = 0
    this.#pieces = []
    this.#settled = 0
    this.#tail = undefined
  }

  readonly #done = (error?: Error | null): void => {
    if (error) return // 'error' or 'close' of the stream follows
    if (this.#early > 0) this.#early--
    // Node 20 reports no error for a write that was cut off by `destroy`: what became of it is not known.
    else if (this.#stream.destroyed) return
    else this.#release()
    this.#onDone()
  }

  #release(): void {
    this.passedOn += this.inFlight
    this.inFlight = 0
    for (const slab of this.#lent) this.#slabs.giveBack(slab)
    this.#lent.length = 0
  }

  #writeGroup(): void {
    const pieces = this.#pieces
    let count = 0
    let bytes = 0
    do {
      bytes += this.#lendable(pieces[count++])
    } while (count < pieces.length && count < GROUP_PIECES && bytes + pieces[count].length <= GROUP_BYTES)
    this.oldestAt = pieces[0].queuedAt
    this.inFlight = bytes
    this.#groupBytes = bytes
    this.#pieces = count === pieces.length ? [] : pieces.slice(count)
    this.#settled = Math.max(0, this.#settled - count)
    if (this.#pieces.length === 0) this.#tail = undefined
    this.#write(pieces, count)
    if (this.#stream.writableLength > 0) {
      if (this.look()) process.nextTick(this.#onDone)
      return
    }
    if (this.#stream.errored === null) {
      this.#early++
      this.#release()
    } else if (this.#kind === 'socket') this.inFlight = 0 // the system refused all of it
  }

  /** Makes sure that the stream may have the piece; returns its length. */
  #lendable(piece: Piece): number {
    if (piece.bytes.length !== piece.length) throw argumentError('ERR_FRAME_PAYLOAD_DETACHED')
    if (piece.slab === undefined) return piece.length
    if (this.#kind === 'duplex' || !this.#slabs.lend(piece.slab)) piece.bytes = Buffer.from(piece.bytes)
    else this.#lent.push(piece.slab)
    piece.slab = undefined
    return piece.length
  }

  #write(pieces: Piece[], count: number): void {
    if (count === 1) {
      this.#stream.write(pieces[0].bytes, this.#done)
      return
    }
    this.#stream.cork()
    for (let i = 0; i < count - 1; i++) this.#stream.write(pieces[i].bytes)
    this.#stream.write(pieces[count - 1].bytes, this.#done)
    this.#stream.uncork()
  }

  /** Copies pieces that wait out of the slab, small ones together. */
  #settle(): void {
    const pieces = this.#pieces
    let to = this.#settled
    for (let i = this.#settled; i < pieces.length; i++) {
      const piece = pieces[i]
      if (piece.slab === undefined) {
        this.#tail = undefined
        pieces[to++] = piece
      } else if (this.#tail !== undefined && this.#tailAt + piece.length <= this.#tail.length) {
        this.#extend(pieces[to - 1], piece)
      } else {
        this.#startTail(piece)
        pieces[to++] = piece
      }
    }
    pieces.length = to
    this.#settled = to
  }

  #startTail(piece: Piece): void {
    this.#tail = Buffer.allocUnsafeSlow(Math.max(TAIL_BYTES, piece.length))
    this.#tail.set(piece.bytes)
    this.#tailAt = piece.length
    piece.bytes = this.#view(0, piece.length)
    piece.slab = undefined
  }

  #extend(last: Piece, piece: Piece): void {
    const tail = this.#tail as Buffer
    tail.set(piece.bytes, this.#tailAt)
    this.#tailAt += piece.length
    last.length += piece.length
    last.bytes = this.#view(this.#tailAt - last.length, this.#tailAt)
  }

  #view(start: number, end: number): Buffer {
    const tail = this.#tail as Buffer
    return new OwnBytes(tail.buffer, tail.byteOffset + start, end - start)
  }
}
