/** Writes frames: header and payload into memory of the caller. Knows formats and payloads, not queues or sockets. */
import { FrameError } from '../errors.js'
import { type CompiledFormat, headerSize, writeHeader } from '../format.js'
import { type Payload, toBytes } from './bytes.js'

/**
 * Bytes of the frame that carries `payloadLength` bytes.
 * @throws {FrameError} `ERR_FRAME_TOO_LARGE`, `ERR_FRAME_LENGTH_INVALID`.
 */
export function frameSize(format: CompiledFormat, limit: number, payloadLength: number): number {
  if (payloadLength > limit) throw new FrameError('ERR_FRAME_TOO_LARGE', { declared: payloadLength, limit })
  return (format.isPlainUint32BE ? 4 : headerSize(format, payloadLength)) + payloadLength
}

/** Bytes of `text` as UTF-8. */
export function textSize(text: string): number {
  return Buffer.byteLength(text)
}

/**
 * Writes the frame of `payload` to `target` from `at` on and returns where it ends. The caller has made room of
 * {@link frameSize} bytes.
 */
export function writeFrame(
  format: CompiledFormat,
  payload: Uint8Array,
  target: Uint8Array,
  at: number,
): number {
  const length = payload.length
  const start = at + (format.isPlainUint32BE ? 4 : headerSize(format, length))
  target.set(payload, start)
  writeHeader(format, length, target, at)
  return start + length
}

/** As {@link writeFrame} for text, of which `length` is the size in UTF-8. */
export function writeTextFrame(
  format: CompiledFormat,
  text: string,
  length: number,
  target: Uint8Array,
  at: number,
): number {
  const start = at + (format.isPlainUint32BE ? 4 : headerSize(format, length))
  ;(target as Buffer).write(text, start, length, 'utf8')
  writeHeader(format, length, target, at)
  return start + length
}

export { type Payload, toBytes }
