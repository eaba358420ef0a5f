/**
 * Writes frames: header and payload, into memory of the caller or of their own. Knows formats, payloads and the sender's
 * limit, not queues or sockets.
 */
import { FrameError } from '../errors.js'
import {
  type CompiledFormat,
  DEFAULT_MAX_FRAME_LENGTH,
  type FormatPreset,
  type FrameFormat,
  headerSize,
  resolveFormat,
  resolveMaxFrameLength,
  writeHeader,
} from '../format.js'
import { type Payload, toBytes } from './bytes.js'
import { allocatePooled } from './own-buffer.js'
import { textSize, writeText } from './text.js'

/**
 * Bytes of the frame that carries `payloadLength` bytes.
 * @throws {FrameError} `ERR_FRAME_TOO_LARGE` (over `limit`, or the field cannot say it), `ERR_FRAME_LENGTH_INVALID`.
 */
export function frameSize(format: CompiledFormat, limit: number, payloadLength: number): number {
  if (payloadLength > limit) throw tooLarge(payloadLength, limit)
  return (format.isPlainUint32BE ? 4 : headerSize(format, payloadLength)) + payloadLength
}

/** `ERR_FRAME_TOO_LARGE` of the sender's own limit. */
export function tooLarge(declared: number, limit: number): FrameError {
  return new FrameError('ERR_FRAME_TOO_LARGE', { declared, limit })
}

/**
 * Writes the frame of `payload` to `target` from `at` on and returns where it ends. The caller has made room of
 * {@link frameSize} bytes, which has checked the limit as well.
 */
export function writeFrame(
  format: CompiledFormat,
  payload: Uint8Array,
  target: Uint8Array,
  at: number,
): number {
  const { length } = payload
  // With a strip of its own the length field may lie in the payload, and is written after it.
  const isLast = format.strip >= 0
  const start = at + (isLast ? headerSize(format, length) : writeHeader(format, length, target, at))
  if (length <= 8) for (let i = 0; i < length; i++) target[start + i] = payload[i]
  else target.set(payload, start)
  if (isLast) writeHeader(format, length, target, at)
  return start + length
}

/** Most bytes the frame of `text` can take: what {@link writeTextFrame} needs as room. Cheap for short text, exact for long. */
export function textFrameRoom(format: CompiledFormat, text: string): number {
  const most = text.length <= 1024 ? 3 * text.length : textSize(text)
  return format.isPlainUint32BE ? most + 4 : most + Math.max(format.strip, format.headerBytes + 9)
}

/**
 * Writes the frame of `text` as UTF-8 and returns where it ends; see {@link textFrameRoom}. When it throws, nothing
 * before `at` or behind the room was touched.
 * @throws {FrameError} as {@link frameSize}.
 */
export function writeTextFrame(
  format: CompiledFormat,
  limit: number,
  text: string,
  target: Uint8Array,
  at: number,
): number {
  // Every code unit is at least a byte: far too long a text is refused before it is written anywhere.
  if (text.length > limit) throw tooLarge(textSize(text), limit)
  const { strip } = format
  if (format.lengthBytes === 0 && strip < 0) return writeTextAfterVarint(format, limit, text, target, at)
  const prefix = strip < 0 ? format.headerBytes : strip
  const written = writeText(text, target, at + prefix)
  if (written > limit) throw tooLarge(written, limit)
  writeHeader(format, written, target, at)
  return at + prefix + written
}

/** How wide the header is depends on how long the text is. */
function writeTextAfterVarint(
  format: CompiledFormat,
  limit: number,
  text: string,
  target: Uint8Array,
  at: number,
): number {
  const length = textSize(text)
  if (length > limit) throw tooLarge(length, limit)
  const start = at + writeHeader(format, length, target, at)
  return start + writeText(text, target, start)
}

/**
 * One frame in one Buffer of its own: header and payload.
 * @param payload text (sent as UTF-8) or bytes; a view is the bytes it covers.
 * @param format default `'uint32be'`.
 * @param maxFrameLength bytes of payload, default 16 MiB.
 * @throws {TypeError} `ERR_FRAME_PAYLOAD_TYPE`, `ERR_FRAME_PAYLOAD_DETACHED`, `ERR_FRAME_FORMAT_INVALID`,
 * `ERR_FRAME_OPTION_INVALID`.
 * @throws {FrameError} `ERR_FRAME_TOO_LARGE`, `ERR_FRAME_LENGTH_INVALID`.
 */
export function encodeFrame(
  payload: Payload,
  format: FrameFormat | FormatPreset = 'uint32be',
  maxFrameLength: number = DEFAULT_MAX_FRAME_LENGTH,
): Buffer {
  return encode(resolveFormat(format), resolveMaxFrameLength(maxFrameLength), payload)
}

/** {@link encodeFrame} with what was resolved before. */
export function encode(format: CompiledFormat, limit: number, payload: Payload): Buffer {
  if (typeof payload === 'string') return encodeText(format, limit, payload)
  const bytes = toBytes(payload)
  const frame = allocatePooled(frameSize(format, limit, bytes.length))
  writeFrame(format, bytes, frame, 0)
  return frame
}

function encodeText(format: CompiledFormat, limit: number, text: string): Buffer {
  const length = textSize(text)
  const frame = allocatePooled(frameSize(format, limit, length))
  writeText(text, frame, frame.length - length)
  writeHeader(format, length, frame, 0)
  return frame
}
