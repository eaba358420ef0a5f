/**
 * The frame format: what a header looks like on the wire. Knows arithmetic and validation, not payloads,
 * limits of a connection, or where bytes come from.
 */
import { FrameError, formatError, optionError } from './errors.js'

/**
 * How frames lie on the wire. The rules and names follow Netty's LengthFieldBasedFrameDecoder and tokio's
 * LengthDelimitedCodec; `total = lengthOffset + lengthBytes + value + lengthAdjustment`, and the payload is what is left
 * of the whole frame behind its first `strip` bytes.
 *
 * Plain 4-byte big-endian (the default), payload `HELLO`:
 * ```
 * on the wire (9 bytes)          payload (5 bytes)
 * +-------------+---------+      +---------+
 * | 00 00 00 05 | "HELLO" | ---> | "HELLO" |
 * +-------------+---------+      +---------+
 * ```
 */
export interface FrameFormat {
  /**
   * Width of the length field in bytes, or `'varint'`: unsigned LEB128 as in protobuf, 1 to 10 bytes.
   * ```
   * 2:        | 00 05 | "HELLO" |  --->  | "HELLO" |
   * 'varint': | 05    | "HELLO" |  --->  | "HELLO" |
   * ```
   */
  readonly lengthBytes: 1 | 2 | 3 | 4 | 8 | 'varint'
  /**
   * Byte order of the field; means nothing for one byte and for a varint. Default `'big'`.
   * ```
   * 'little', 4: | 05 00 00 00 | "HELLO" |  --->  | "HELLO" |
   * ```
   */
  readonly endian?: 'big' | 'little'
  /**
   * Bytes in front of the length field, 0 to 65,535. The encoder writes zeros there. Default 0.
   * ```
   * lengthOffset 2, lengthBytes 2:
   * | CA FE | 00 05 | "HELLO" |  --->  | "HELLO" |
   * ```
   */
  readonly lengthOffset?: number
  /**
   * Added to the value of the field to get the number of bytes behind it; an int32. Default 0.
   * ```
   * -4 (the length counts its own 4 bytes):
   * | 00 00 00 09 | "HELLO" |  --->  | "HELLO" |
   * 1 (a type byte behind the field is not counted), strip 4:
   * | 00 00 00 05 | 2A | "HELLO" |  --->  | 2A | "HELLO" |
   * ```
   */
  readonly lengthAdjustment?: number
  /**
   * Leading bytes of the whole frame that the payload leaves out, 0 to 65,535. Default: all up to the end of the
   * length field.
   * ```
   * strip 0, lengthBytes 2: | 00 05 | "HELLO" |  --->  | 00 05 | "HELLO" |
   * ```
   */
  readonly strip?: number
}

const LETTERS = {
  C: { lengthBytes: 1 },
  n: { lengthBytes: 2 },
  v: { lengthBytes: 2, endian: 'little' },
  N: { lengthBytes: 4 },
  V: { lengthBytes: 4, endian: 'little' },
  J: { lengthBytes: 8 },
  P: { lengthBytes: 8, endian: 'little' },
} as const satisfies Record<string, FrameFormat>

type Letter = keyof typeof LETTERS

/** Names that stand for a format. */
export type FormatPreset =
  | 'uint8'
  | 'uint16be'
  | 'uint16le'
  | 'uint24be'
  | 'uint24le'
  | 'uint32be'
  | 'uint32le'
  | 'uint64be'
  | 'uint64le'
  | 'varint'
  | Letter
  | `swoole:${Letter}`
  | `erlang:${1 | 2 | 4}`
  | 'workerman'

function presets(): Record<FormatPreset, FrameFormat> {
  const swoole = Object.entries(LETTERS).map(([letter, format]) => [`swoole:${letter}`, format])
  return {
    uint8: LETTERS.C,
    uint16be: LETTERS.n,
    uint16le: LETTERS.v,
    uint24be: { lengthBytes: 3 },
    uint24le: { lengthBytes: 3, endian: 'little' },
    uint32be: LETTERS.N,
    uint32le: LETTERS.V,
    uint64be: LETTERS.J,
    uint64le: LETTERS.P,
    varint: { lengthBytes: 'varint' },
    ...LETTERS,
    ...(Object.fromEntries(swoole) as Record<`swoole:${Letter}`, FrameFormat>),
    'erlang:1': LETTERS.C,
    'erlang:2': LETTERS.n,
    'erlang:4': LETTERS.N,
    workerman: { lengthBytes: 4, lengthAdjustment: -4 },
  }
}

/** Every preset and what it stands for. */
export const FORMAT_PRESETS: Readonly<Record<FormatPreset, FrameFormat>> = Object.freeze(presets())

/** A validated format with everything a hot loop asks for. Frozen. */
export interface CompiledFormat {
  /** 0 = varint. */
  readonly lengthBytes: 0 | 1 | 2 | 3 | 4 | 8
  readonly endian: 'big' | 'little'
  readonly littleEndian: boolean
  readonly lengthOffset: number
  readonly lengthAdjustment: number
  /** -1: all up to the end of the length field. An explicit `strip` that says the same is -1 as well. */
  readonly strip: number
  /** `lengthOffset` + width of the field; for a varint the least, with a field of one byte. */
  readonly headerBytes: number
  /** 4-byte big-endian, nothing else: what the fast paths are made for. */
  readonly isPlainUint32BE: boolean
}

/** Default of `maxFrameLength`: 16 MiB. */
export const DEFAULT_MAX_FRAME_LENGTH = 16 * 1024 * 1024

/** What `maxFrameLength: Infinity` means: the largest payload whose frame still has 32-bit offsets. */
export const MAX_FRAME_LENGTH = 2 ** 32 - 65536

/** Widest varint: ten groups of seven bits hold 64. */
export const MAX_VARINT_BYTES = 10

const COMPILED_PRESETS: ReadonlyMap<string, CompiledFormat> = new Map(
  Object.entries(FORMAT_PRESETS).map(([name, format]) => [name, compile(format)]),
)

/**
 * Validates a format or looks up a preset.
 * @throws {TypeError} `ERR_FRAME_FORMAT_INVALID`, naming the property.
 */
export function resolveFormat(format: FrameFormat | FormatPreset = 'uint32be'): CompiledFormat {
  if (typeof format === 'string') {
    const compiled = COMPILED_PRESETS.get(format)
    if (compiled !== undefined) return compiled
    throw formatError('the preset', `one of ${Object.keys(FORMAT_PRESETS).join(' ')}`, format)
  }
  if (typeof format !== 'object' || format === null)
    throw formatError('it', 'an object or the name of a preset', format)
  return compile(format)
}

function compile(format: FrameFormat): CompiledFormat {
  const { lengthBytes, endian = 'big', lengthOffset = 0, lengthAdjustment = 0, strip } = format
  if (lengthBytes !== 'varint' && ![1, 2, 3, 4, 8].includes(lengthBytes)) {
    throw formatError('lengthBytes', "1, 2, 3, 4, 8 or 'varint'", lengthBytes)
  }
  if (endian !== 'big' && endian !== 'little') throw formatError('endian', "'big' or 'little'", endian)
  checkInteger('lengthOffset', lengthOffset, 0, 65535)
  checkInteger('lengthAdjustment', lengthAdjustment, -(2 ** 31), 2 ** 31 - 1)
  if (strip !== undefined) checkInteger('strip', strip, 0, 65535)

  const width = lengthBytes === 'varint' ? 0 : lengthBytes
  const headerBytes = lengthOffset + (width === 0 ? 1 : width)
  const stripsHeader = strip === undefined || (width !== 0 && strip === headerBytes)
  const littleEndian = endian === 'little'
  return Object.freeze({
    lengthBytes: width,
    endian,
    littleEndian,
    lengthOffset,
    lengthAdjustment,
    strip: stripsHeader ? -1 : strip,
    headerBytes,
    isPlainUint32BE:
      width === 4 && !littleEndian && lengthOffset === 0 && lengthAdjustment === 0 && stripsHeader,
  })
}

function checkInteger(name: string, value: unknown, least: number, most: number): void {
  if (!Number.isInteger(value) || (value as number) < least || (value as number) > most) {
    throw formatError(name, `an integer from ${least} to ${most}`, value)
  }
}

/**
 * Validates `maxFrameLength`: bytes of payload.
 * @throws {TypeError} `ERR_FRAME_OPTION_INVALID`.
 */
export function resolveMaxFrameLength(value: number = DEFAULT_MAX_FRAME_LENGTH): number {
  if (value === Infinity) return MAX_FRAME_LENGTH
  if (!Number.isInteger(value) || value < 0 || value > MAX_FRAME_LENGTH) {
    throw optionError('maxFrameLength', `an integer from 0 to ${MAX_FRAME_LENGTH}, or Infinity`, value)
  }
  return value
}

/** Bytes of the shortest varint that holds `value`. */
export function varintSize(value: number): number {
  if (value < 0x80) return 1
  let bytes = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++
  return bytes
}

/** What the encoder puts in front of a payload: bytes before it, and the length field's width and value. */
interface HeaderPlan {
  /** Bytes of the frame in front of the payload: header, or `strip`. */
  prefix: number
  /** Width of the length field in bytes. */
  width: number
  /** What the length field says; -1: the payload brings its varint along. */
  value: number
}

function planHeader(format: CompiledFormat, payloadLength: number): HeaderPlan {
  const { lengthBytes, lengthOffset, lengthAdjustment, strip } = format
  if (lengthBytes === 0) return planVarint(format, payloadLength)
  const prefix = strip < 0 ? format.headerBytes : strip
  const value = prefix + payloadLength - format.headerBytes - lengthAdjustment
  if (prefix + payloadLength < lengthOffset + lengthBytes || value < 0) throw notAFrame(payloadLength)
  if (value > 2 ** (8 * lengthBytes) - 1) throw doesNotFit(format, payloadLength)
  return { prefix, width: lengthBytes, value }
}

function planVarint(format: CompiledFormat, payloadLength: number): HeaderPlan {
  const { lengthOffset, lengthAdjustment, strip } = format
  if (strip < 0) {
    const value = payloadLength - lengthAdjustment
    if (value < 0) throw notAFrame(payloadLength)
    const width = varintSize(value)
    return { prefix: lengthOffset + width, width, value }
  }
  if (strip <= lengthOffset) return { prefix: strip, width: 0, value: -1 }
  // The wider the field, the fewer bytes follow it; a padded (non-minimal) varint fills the gap where none is exact.
  for (let width = 1; width <= MAX_VARINT_BYTES; width++) {
    const behind = strip + payloadLength - lengthOffset - width
    const value = behind - lengthAdjustment
    if (behind < 0 || value < 0) break
    if (varintSize(value) <= width) return { prefix: strip, width, value }
  }
  throw notAFrame(payloadLength)
}

function notAFrame(payloadLength: number): FrameError {
  return new FrameError('ERR_FRAME_LENGTH_INVALID', {
    message: 'No length field of this format describes a payload of this size',
    declared: payloadLength,
  })
}

function doesNotFit(format: CompiledFormat, payloadLength: number): FrameError {
  const { lengthBytes, lengthAdjustment, headerBytes, strip } = format
  const prefix = strip < 0 ? headerBytes : strip
  return new FrameError('ERR_FRAME_TOO_LARGE', {
    message: `The payload does not fit a length field of ${lengthBytes} bytes`,
    declared: payloadLength,
    limit: 2 ** (8 * lengthBytes) - 1 + lengthAdjustment + headerBytes - prefix,
  })
}

/**
 * Bytes of a frame in front of its payload. The frame is `headerSize + payloadLength` bytes long.
 * @throws {FrameError} `ERR_FRAME_TOO_LARGE` when the length does not fit the field, `ERR_FRAME_LENGTH_INVALID` when no
 * length describes such a payload.
 */
export function headerSize(format: CompiledFormat, payloadLength: number): number {
  if (format.isPlainUint32BE) return 4
  return planHeader(format, payloadLength).prefix
}

/**
 * Writes everything of a frame that is not payload to `target` from `at` on and returns `headerSize`. With a `strip`
 * smaller than the header the field lies in the payload and is written there: copy the payload first.
 * @throws {FrameError} as {@link headerSize}; also `ERR_FRAME_LENGTH_INVALID` when a payload that brings its own varint
 * brings a wrong one.
 */
export function writeHeader(
  format: CompiledFormat,
  payloadLength: number,
  target: Uint8Array,
  at: number,
): number {
  if (format.isPlainUint32BE) {
    target[at] = payloadLength >>> 24
    target[at + 1] = payloadLength >>> 16
    target[at + 2] = payloadLength >>> 8
    target[at + 3] = payloadLength
    return 4
  }
  const { prefix, width, value } = planHeader(format, payloadLength)
  target.fill(0, at, at + prefix)
  const field = at + format.lengthOffset
  if (value < 0) checkOwnVarint(format, payloadLength, target, field, at + prefix + payloadLength)
  else if (format.lengthBytes === 0) writeVarint(target, field, width, value)
  else writeFixed(target, field, width, value, format.littleEndian)
  return prefix
}

function writeFixed(
  target: Uint8Array,
  at: number,
  width: number,
  value: number,
  littleEndian: boolean,
): void {
  let rest = value
  for (let i = 0; i < width; i++) {
    target[littleEndian ? at + i : at + width - 1 - i] = rest % 256
    rest = Math.floor(rest / 256)
  }
}

function writeVarint(target: Uint8Array, at: number, width: number, value: number): void {
  let rest = value
  for (let i = 0; i < width; i++) {
    target[at + i] = (rest % 128) | (i < width - 1 ? 0x80 : 0)
    rest = Math.floor(rest / 128)
  }
}

function checkOwnVarint(
  format: CompiledFormat,
  payloadLength: number,
  bytes: Uint8Array,
  field: number,
  end: number,
): void {
  let value = 0
  for (let at = field; at < end && at < field + MAX_VARINT_BYTES; at++) {
    value += (bytes[at] & 0x7f) * 2 ** (7 * (at - field))
    if (bytes[at] >= 0x80) continue
    if (value + format.lengthAdjustment === end - at - 1) return
    break
  }
  throw new FrameError('ERR_FRAME_LENGTH_INVALID', {
    message: 'The payload of this format begins with its own length field, and that is wrong',
    declared: payloadLength,
  })
}
