/**
 * The codec's classes with Node's streams on top: what the main entry exports. The browser entry never comes here;
 * src/codec/node is the one place under src/codec that imports modules of Node's.
 */
import { Transform, type TransformOptions } from 'node:stream'
import type { Bytes, Payload } from '../bytes.js'
import { type FrameDecoderOptions, FrameDecoder as PlainDecoder } from '../decoder.js'
import { type FrameEncoderOptions, FrameEncoder as PlainEncoder } from '../frame-encoder.js'
import type { Scanner } from '../scan.js'
import { DecodingTransform } from './decoding-transform.js'
import { seal } from './seal.js'
import { passOn, type StreamFace } from './stream-face.js'

const DecoderBase = PlainDecoder as new (
  ...args: ConstructorParameters<typeof PlainDecoder>
) => PlainDecoder & StreamFace
const EncoderBase = PlainEncoder as new (
  ...args: ConstructorParameters<typeof PlainEncoder>
) => PlainEncoder & StreamFace

/**
 * Cuts a stream of bytes, in chunks of any size, into the payloads of its frames. Payloads are the receiver's own memory.
 *
 * Besides {@link push} and {@link end} the object can be used as a Node `Transform`, `socket.pipe(new FrameDecoder())`, and
 * as a web transform pair, `stream.pipeThrough(new FrameDecoder())`: one of the three at a time. {@link toTransform} makes a
 * Transform with options.
 *
 * `readable` and `writable` are the web streams, so that whatever tests `readable === true` takes it for no Node stream:
 * `Readable.compose`, `stream.compose`, `Duplex.toWeb`, `Readable.toWeb`, `stream.isReadable`. Give those {@link toTransform}.
 *
 * After an error nothing more is decoded: every further call throws the same error.
 */
export class FrameDecoder extends DecoderBase {
  #stream: Transform | undefined

  static {
    passOn(FrameDecoder.prototype)
  }

  /**
   * @param scanner internal: what `backend: 'native'` uses.
   * @throws as `framewire/codec`'s.
   */
  constructor(options: FrameDecoderOptions = {}, scanner?: Scanner) {
    super(options, scanner, seal)
  }

  /** @internal Made for the first who asks for a Node stream. */
  get stream(): Transform {
    this.#stream ??= this.toTransform()
    return this.#stream
  }

  /**
   * The stream has ended: nothing more is decoded. Used as a Node stream it takes a last chunk and a callback, and its
   * errors are events.
   * @throws {FrameError} `ERR_FRAME_TRUNCATED` when that was inside a frame; else the error it ended with before.
   */
  override end(...last: [callback?: (() => void) | undefined] | [chunk: unknown, ...rest: unknown[]]): this {
    if (this.#stream === undefined && last.length === 0) super.end()
    else Reflect.apply(this.stream.end, this.stream, last)
    return this
  }

  /** Payloads, of the Node stream. */
  override [Symbol.asyncIterator](): AsyncIterableIterator<Buffer> {
    return this.stream[Symbol.asyncIterator]()
  }

  /** The web stream; to a Node pipeline the flag that is only tested for truth. */
  override get readable(): ReadableStream<Buffer> & true {
    return super.readable as ReadableStream<Buffer> & true
  }

  override get writable(): WritableStream<Bytes> & true {
    return super.writable as WritableStream<Bytes> & true
  }

  /**
   * A Node `Transform` over this decoder: chunks in, payloads (object mode) out. The next chunk is taken when the
   * payloads of the one before have been read down to the high-water mark (in payloads). An error comes behind the payloads
   * in front of it: it waits until they have been read.
   * @param options of the Transform, such as `readableHighWaterMark`.
   */
  toTransform(options?: TransformOptions): Transform {
    // Not this.end: that may be the stream's.
    const decoding = {
      push: (chunk: Bytes, give: (payload: Buffer) => void) => super.push(chunk, give),
      end: () => super.end(),
    }
    return new DecodingTransform(decoding, options)
  }
}

/**
 * Makes frames of payloads. Besides {@link encode} the object can be used as a Node `Transform` (object mode on its writable
 * side) and as a web transform pair, `payloads.pipeThrough(new FrameEncoder())`. {@link toTransform} makes a Transform with
 * options, and one for what tests `readable === true`, such as `stream.compose`: here that is the web stream.
 */
export class FrameEncoder extends EncoderBase {
  #stream: Transform | undefined

  static {
    passOn(FrameEncoder.prototype)
  }

  /** @throws as `framewire/codec`'s. */
  constructor(options: FrameEncoderOptions = {}) {
    super(options)
  }

  /** @internal Made for the first who asks for a Node stream. */
  get stream(): Transform {
    this.#stream ??= this.toTransform()
    return this.#stream
  }

  /** Ends the Node stream. */
  override end(...last: [callback?: (() => void) | undefined] | [chunk: unknown, ...rest: unknown[]]): this {
    Reflect.apply(this.stream.end, this.stream, last)
    return this
  }

  /** Frames, cut anywhere, of the Node stream. */
  override [Symbol.asyncIterator](): AsyncIterableIterator<Buffer> {
    return this.stream[Symbol.asyncIterator]()
  }

  /** The web stream; to a Node pipeline the flag that is only tested for truth. */
  override get readable(): ReadableStream<Buffer> & true {
    return super.readable as ReadableStream<Buffer> & true
  }

  override get writable(): WritableStream<Payload> & true {
    return super.writable as WritableStream<Payload> & true
  }

  /**
   * A Node `Transform` over this encoder: payloads (object mode: text or bytes) in, frames out.
   * @param options of the Transform, such as `writableHighWaterMark`.
   */
  toTransform(options: TransformOptions = {}): Transform {
    return new Transform({
      ...options,
      writableObjectMode: true,
      readableObjectMode: false,
      transform: (payload, _encoding, done) => {
        let frame: Buffer
        try {
          frame = this.encode(payload)
        } catch (error) {
          done(error as Error)
          return
        }
        done(null, frame)
      },
    })
  }
}
