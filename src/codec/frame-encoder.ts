/**
 * FrameEncoder: payloads in, frames out, without a socket. It imports nothing of Node, so that it runs in a browser as
 * it is.
 */
import { optionError } from '../errors.js'
import {
  type CompiledFormat,
  type FormatPreset,
  type FrameFormat,
  resolveFormat,
  resolveMaxFrameLength,
} from '../format.js'
import type { Payload } from './bytes.js'
import { encode } from './encoder.js'

/** Options of a {@link FrameEncoder}. */
export interface FrameEncoderOptions {
  /** Default `'uint32be'`. */
  readonly format?: FrameFormat | FormatPreset
  /** Bytes of payload. Default 16 MiB; `Infinity` must be written out. */
  readonly maxFrameLength?: number
}

/**
 * Makes frames of payloads. The object is a web transform pair as well:
 * `payloads.pipeThrough(new FrameEncoder()).pipeTo(socket)`.
 */
export class FrameEncoder {
  readonly format: CompiledFormat
  readonly maxFrameLength: number
  private pair: TransformStream<Payload, Buffer> | undefined

  /** @throws {TypeError} `ERR_FRAME_FORMAT_INVALID`, `ERR_FRAME_OPTION_INVALID`. */
  constructor(options: FrameEncoderOptions = {}) {
    if (typeof options !== 'object' || options === null) throw optionError('options', 'an object', options)
    this.format = resolveFormat(options.format)
    this.maxFrameLength = resolveMaxFrameLength(options.maxFrameLength)
  }

  /**
   * One frame, header and payload, in memory of its own.
   * @param payload text (sent as UTF-8) or bytes; a view is the bytes it covers.
   * @throws {TypeError} `ERR_FRAME_PAYLOAD_TYPE`, `ERR_FRAME_PAYLOAD_DETACHED`.
   * @throws {FrameError} `ERR_FRAME_TOO_LARGE`, `ERR_FRAME_LENGTH_INVALID`.
   */
  encode(payload: Payload): Buffer {
    return encode(this.format, this.maxFrameLength, payload)
  }

  /** The same as {@link encode}, named as the decoder's. */
  push(payload: Payload): Buffer {
    return this.encode(payload)
  }

  /** A web `TransformStream` from payloads to frames. */
  toTransformStream(): TransformStream<Payload, Buffer> {
    return new TransformStream<Payload, Buffer>({
      transform: (payload, controller) => controller.enqueue(this.encode(payload)),
    })
  }

  /** Readable side of {@link toTransformStream}, made on first use: frames. */
  get readable(): ReadableStream<Buffer> {
    this.pair ??= this.toTransformStream()
    return this.pair.readable
  }

  /** Writable side of {@link toTransformStream}, made on first use: payloads. */
  get writable(): WritableStream<Payload> {
    this.pair ??= this.toTransformStream()
    return this.pair.writable
  }
}
