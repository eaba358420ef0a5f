/**
 * The codec's classes with Node's streams on top: what the main entry exports. The browser entry never comes here; this
 * is the one place under src/codec that imports a module of Node's.
 */
import { Transform, type TransformOptions } from 'node:stream'
import { type FrameDecoderOptions, FrameDecoder as PlainDecoder } from '../decoder.js'
import { FrameEncoder as PlainEncoder } from '../frame-encoder.js'
import type { Scanner } from '../scan.js'
import { DecodingTransform } from './decoding-transform.js'
import { seal } from './seal.js'

/**
 * Cuts a stream of bytes, in chunks of any size, into the payloads of its frames. Payloads are the receiver's own memory.
 * The object is a web transform pair as well, `stream.pipeThrough(new FrameDecoder())`, and {@link toTransform} gives a
 * Node `Transform`.
 *
 * After an error nothing more is decoded: every further call throws the same error.
 */
export class FrameDecoder extends PlainDecoder {
  /**
   * @param scanner internal: what `backend: 'native'` uses.
   * @throws as `framewire/codec`'s.
   */
  constructor(options: FrameDecoderOptions = {}, scanner?: Scanner) {
    super(options, scanner, seal)
  }

  /**
   * A Node `Transform` over this decoder: chunks in, payloads (object mode) out. The next chunk is taken when the
   * payloads of the one before have been read down to the high-water mark (in payloads). An error comes behind the payloads
   * in front of it: it waits until they have been read.
   * @param options of the Transform, such as `readableHighWaterMark`.
   */
  toTransform(options?: TransformOptions): Transform {
    return new DecodingTransform(this, options)
  }
}

/**
 * Makes frames of payloads. The object is a web transform pair as well, `payloads.pipeThrough(new FrameEncoder())`, and
 * {@link toTransform} gives a Node `Transform`.
 */
export class FrameEncoder extends PlainEncoder {
  /**
   * A Node `Transform` over this encoder: payloads (object mode: text or bytes) in, frames out.
   * @param options of the Transform, such as `writableHighWaterMark`.
   */
  toTransform(options: TransformOptions = {}): Transform {
    const transform = new Transform({
      ...options,
      writableObjectMode: true,
      readableObjectMode: false,
      transform: (payload, _encoding, done) => run(done, () => transform.push(this.encode(payload))),
    })
    return transform
  }
}

/** Calls `step`, and `done` with what it throws. */
function run(done: (error?: Error | null) => void, step: () => void): void {
  try {
    step()
  } catch (error) {
    done(error as Error)
    return
  }
  done()
}
