/**
 * FrameDecoder: chunks in, payloads out, without a socket. Knows one stream and its options; it imports nothing of Node,
 * so that it runs in a browser as it is.
 */
import { FrameError, optionError } from '../errors.js'
import {
  type CompiledFormat,
  type FormatPreset,
  type FrameFormat,
  resolveFormat,
  resolveMaxFrameLength,
} from '../format.js'
import type { FrameBatch } from './batch.js'
import { type Bytes, toBytes } from './bytes.js'
import type { Seal } from './own-buffer.js'
import { Reassembly, ScanSpace } from './reassembly.js'
import type { Scanner } from './scan.js'
import { webPair } from './web-pair.js'

/** Options of a {@link FrameDecoder}. */
export interface FrameDecoderOptions {
  /** Default `'uint32be'`. */
  readonly format?: FrameFormat | FormatPreset
  /** Bytes of payload, checked before anything is set aside. Default 16 MiB; `Infinity` must be written out. */
  readonly maxFrameLength?: number
  /**
   * What a frame over the limit does. `'error'` (default): `ERR_FRAME_TOO_LARGE`, and nothing more is decoded.
   * `'discard'`: exactly the bytes it declares are skipped and counted, and decoding goes on behind them (as in Netty).
   */
  readonly onOversize?: 'error' | 'discard'
  /** What finds the frames: `'js'`, `'native'`, or `'auto'` (default): whichever is faster, which is `'js'`. */
  readonly backend?: 'auto' | 'js' | 'native'
}

/** Most frames that are copied at once. */
const BATCH_ROWS = 1024

/**
 * Cuts a stream of bytes, in chunks of any size, into the payloads of its frames. Payloads are the receiver's own memory.
 * The object is a web transform pair as well: `stream.pipeThrough(new FrameDecoder())`.
 *
 * After an error nothing more is decoded: every further call throws the same error.
 */
export class FrameDecoder {
  readonly format: CompiledFormat
  readonly maxFrameLength: number
  private readonly frames: Reassembly
  /** Decoded, but not yet given out, because an `onFrame` threw. */
  private waiting: Buffer[] = []
  private giving = false
  private ended = false
  private pair: TransformStream<Bytes, Buffer> | undefined
  private readonly collect = (batch: FrameBatch): void => {
    batch.copyAll(this.waiting)
  }

  /**
   * @param scanner internal: what `backend: 'native'` uses.
   * @param seal internal: see `Seal`.
   * @throws {TypeError} `ERR_FRAME_FORMAT_INVALID`, `ERR_FRAME_OPTION_INVALID`.
   * @throws {FrameError} `ERR_FRAME_BACKEND_UNAVAILABLE`.
   */
  constructor(options: FrameDecoderOptions = {}, scanner?: Scanner, seal?: Seal) {
    if (typeof options !== 'object' || options === null) throw optionError('options', 'an object', options)
    const { onOversize = 'error', backend = 'auto' } = options
    if (onOversize !== 'error' && onOversize !== 'discard') {
      throw optionError('onOversize', "'error' or 'discard'", onOversize)
    }
    if (backend !== 'auto' && backend !== 'js' && backend !== 'native') {
      throw optionError('backend', "'auto', 'js' or 'native'", backend)
    }
    if (backend === 'native' && scanner === undefined) {
      throw new FrameError('ERR_FRAME_BACKEND_UNAVAILABLE', { message: 'There is no native scanner here' })
    }
    this.format = resolveFormat(options.format)
    this.maxFrameLength = resolveMaxFrameLength(options.maxFrameLength)
    this.frames = new Reassembly(this.format, this.maxFrameLength, {
      space: new ScanSpace(BATCH_ROWS, seal),
      discard: onOversize === 'discard',
      scanner: backend === 'native' ? scanner : undefined,
      ownsChunks: false,
    })
  }

  /** Bytes of an unfinished frame that wait here. */
  get held(): number {
    return this.frames.held
  }

  /** With `onOversize: 'discard'`: payload bytes of the frames skipped so far, as declared. */
  get discarded(): number {
    return this.frames.discardedBytes
  }

  /** With `onOversize: 'discard'`: how many frames were skipped. */
  get discardedFrames(): number {
    return this.frames.discardedFrames
  }

  /**
   * Decodes a chunk. The chunk is not kept. Without `onFrame` the payloads are returned; with it, it is called for each
   * in order and their number is returned; when it throws, that comes out of here, and the payloads behind are given out
   * by the next call. Payloads in front of a protocol error are given out before it is thrown: with `onFrame` by the same
   * call, without it by the next one or by {@link end}.
   * @throws {TypeError} `ERR_FRAME_PAYLOAD_TYPE`, `ERR_FRAME_PAYLOAD_DETACHED`.
   * @throws {FrameError} `ERR_FRAME_TOO_LARGE`, `ERR_FRAME_LENGTH_INVALID`; after {@link end} what that threw, or `ERR_FRAME_CLOSED`.
   */
  push(chunk: Bytes): Buffer[]
  push(chunk: Bytes, onFrame: (payload: Buffer) => void): number
  push(chunk: Bytes, onFrame?: (payload: Buffer) => void): Buffer[] | number {
    const bytes = toBytes(chunk, 'chunk')
    if (onFrame !== undefined && typeof onFrame !== 'function')
      throw optionError('onFrame', 'a function', onFrame)
    if (this.ended) this.throwEnded()
    this.frames.push(bytes, this.collect)
    return this.giveOut(onFrame)
  }

  /**
   * The stream has ended: nothing more is decoded. Calling it again changes nothing.
   * @throws {FrameError} `ERR_FRAME_TRUNCATED` when that was inside a frame, also one that is skipped; else the error it
   * ended with before.
   */
  end(): void {
    this.ended = true
    const error = this.frames.end()
    if (error !== null) throw error
  }

  /**
   * A pair of web streams over this decoder, as a `TransformStream`'s: chunks to payloads. An error is told to the reader
   * once it has read the payloads in front of it.
   */
  toTransformStream(): TransformStream<Bytes, Buffer> {
    return webPair<Bytes, Buffer>({ push: (chunk, give) => this.push(chunk, give), end: () => this.end() })
  }

  /** Readable side of {@link toTransformStream}, made on first use: payloads. */
  get readable(): ReadableStream<Buffer> {
    this.pair ??= this.toTransformStream()
    return this.pair.readable
  }

  /** Writable side of {@link toTransformStream}, made on first use: chunks. */
  get writable(): WritableStream<Bytes> {
    this.pair ??= this.toTransformStream()
    return this.pair.writable
  }

  private giveOut(onFrame: ((payload: Buffer) => void) | undefined): Buffer[] | number {
    // Called from inside an onFrame: the call that is giving out goes on with these, in order.
    if (this.giving) return onFrame === undefined ? [] : 0
    if (onFrame === undefined) {
      const payloads = this.waiting
      if (payloads.length === 0) this.throwError()
      this.waiting = []
      return payloads
    }
    const given = this.giveEach(onFrame)
    this.throwError()
    return given
  }

  private giveEach(onFrame: (payload: Buffer) => void): number {
    let given = 0
    this.giving = true
    try {
      while (given < this.waiting.length) onFrame(this.waiting[given++])
    } finally {
      this.giving = false
      this.waiting = given === this.waiting.length ? [] : this.waiting.slice(given)
    }
    return given
  }

  private throwEnded(): never {
    this.throwError()
    throw new FrameError('ERR_FRAME_CLOSED', {
      message: 'The decoder has ended: a stream needs one of its own',
    })
  }

  private throwError(): void {
    if (this.frames.error !== null) throw this.frames.error
  }
}
