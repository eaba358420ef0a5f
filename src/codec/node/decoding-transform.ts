/**
 * A decoder as a Node Transform: chunks in, payloads out, and an error only once what is in front of it was read. Knows
 * streams and the order in which they tell things, nothing of frames.
 */
import { Transform, type TransformCallback, type TransformOptions } from 'node:stream'
import type { Bytes } from '../bytes.js'
import type { Decoding } from '../web-pair.js'

export class DecodingTransform extends Transform {
  readonly #decoder: Decoding<Bytes, Buffer>
  /** Tells the error that waits. */
  #fail: (() => void) | undefined

  constructor(decoder: Decoding<Bytes, Buffer>, options: TransformOptions = {}) {
    super({
      ...options,
      writableObjectMode: false,
      readableObjectMode: true,
      transform: undefined,
      flush: undefined,
    })
    this.#decoder = decoder
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#run(done, () => this.#decoder.push(chunk, (payload) => this.push(payload)))
  }

  override _flush(done: TransformCallback): void {
    this.#run(done, () => this.#decoder.end())
  }

  /** Every way to consume a stream comes by here. A stream that is destroyed drops what was not read. */
  override read(size?: number): Buffer | null {
    const payload: Buffer | null = super.read(size)
    if (this.#fail !== undefined && this.readableLength === 0) {
      process.nextTick(this.#fail)
      this.#fail = undefined
    }
    return payload
  }

  #run(done: TransformCallback, step: () => void): void {
    try {
      step()
    } catch (error) {
      if (this.readableLength === 0) done(error as Error)
      else this.#fail = () => done(error as Error)
      return
    }
    done()
  }
}
