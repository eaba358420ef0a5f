/**
 * The header scan: whole frames in a piece of memory become rows of an offset table. Pure arithmetic over bytes; it knows
 * neither where they come from nor what happens to a frame that is not whole.
 */
import type { CompiledFormat } from '../format.js'
import { MAX_VARINT_BYTES } from '../format.js'
import type { FrameTable } from './batch.js'

/** Why a scan stopped. */
export const SCAN_BOUNDARY = 0
/** The bytes end inside a header. */
export const SCAN_HEADER = 1
/** The bytes end inside a frame whose header is whole: `payloadLength` and `frameLength` are set. */
export const SCAN_BODY = 2
/** `maxRows` rows are written: call again from `next` on. */
export const SCAN_FULL = 3
/** The frame at `next` is over the limit: `payloadLength` is set. */
export const SCAN_TOO_LARGE = 4
/** The length field at `next` describes no frame of this format. */
export const SCAN_INVALID = 5

/** What a scan found. One object is used again and again: a scan allocates nothing. */
export class ScanResult {
  status = SCAN_BOUNDARY
  /** Rows written to the table. */
  rows = 0
  /** Where the first frame that is not in the table begins. */
  next = 0
  /** Payload bytes that frame declares (SCAN_BODY, SCAN_TOO_LARGE). Past 2^53 the nearest number. */
  payloadLength = 0
  /** Its bytes on the wire, header included (SCAN_BODY, SCAN_TOO_LARGE). */
  frameLength = 0
  /** Bytes up to the end of its length field; set by {@link readHeader} only. */
  headerLength = 0
}

/** What finds frames: {@link scan}, or the addon's. */
export type Scanner = (
  format: CompiledFormat,
  limit: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  table: FrameTable,
  tableBase: number,
  maxRows: number,
  result: ScanResult,
) => void

/**
 * Finds the whole frames in `bytes[from..to)`. `from` is a frame boundary. Writes for each the start and end of its
 * payload to `table` from index `tableBase` on, at most `maxRows` of them.
 */
export function scan(
  format: CompiledFormat,
  limit: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  table: FrameTable,
  tableBase: number,
  maxRows: number,
  result: ScanResult,
): void {
  if (format.isPlainUint32BE) scanUint32BE(limit, bytes, from, to, table, tableBase, maxRows, result)
  else scanGeneral(format, limit, bytes, from, to, table, tableBase, maxRows, result)
}

function scanUint32BE(
  limit: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  table: FrameTable,
  tableBase: number,
  maxRows: number,
  result: ScanResult,
): void {
  const lastEntry = tableBase + 2 * maxRows
  let entry = tableBase
  let at = from
  let status = SCAN_BOUNDARY
  while (at < to) {
    const start = at + 4
    if (start > to) {
      status = SCAN_HEADER
      break
    }
    if (entry === lastEntry) {
      status = SCAN_FULL
      break
    }
    const length = ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0
    const end = start + length
    if (end > to || length > limit) {
      status = length > limit ? SCAN_TOO_LARGE : SCAN_BODY
      result.payloadLength = length
      result.frameLength = length + 4
      break
    }
    table[entry] = start
    table[entry + 1] = end
    entry += 2
    at = end
  }
  result.status = status
  result.rows = (entry - tableBase) >>> 1
  result.next = at
}

function scanGeneral(
  format: CompiledFormat,
  limit: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  table: FrameTable,
  tableBase: number,
  maxRows: number,
  result: ScanResult,
): void {
  let rows = 0
  let at = from
  let status = SCAN_BOUNDARY
  while (at < to) {
    status = readHeader(format, limit, bytes, at, to, result)
    if (status !== SCAN_BODY) break
    if (rows === maxRows) {
      status = SCAN_FULL
      break
    }
    const end = at + result.frameLength
    if (end > to) break
    table[tableBase + 2 * rows] = end - result.payloadLength
    table[tableBase + 2 * rows + 1] = end
    rows++
    at = end
    status = SCAN_BOUNDARY
  }
  result.status = status
  result.rows = rows
  result.next = at
}

/**
 * Reads the header of the frame at `at`: SCAN_HEADER (more bytes needed), SCAN_BODY (`payloadLength` and `frameLength`
 * are set), SCAN_TOO_LARGE or SCAN_INVALID.
 */
export function readHeader(
  format: CompiledFormat,
  limit: number,
  bytes: Uint8Array,
  at: number,
  to: number,
  result: ScanResult,
): number {
  const field = at + format.lengthOffset
  let width: number = format.lengthBytes
  let value = 0
  if (width === 0) {
    width = varintWidth(bytes, field, to)
    if (width === 0) return SCAN_HEADER
    if (width < 0) return SCAN_INVALID
    value = varintValue(bytes, field, width)
  } else {
    if (field + width > to) return SCAN_HEADER
    value = format.littleEndian ? readLE(bytes, field, width) : readBE(bytes, field, width)
  }
  if (value >= 2 ** 53) return refuseWide(format, width, readWide(format, bytes, field, width), result)
  return judge(format, limit, width, value, result)
}

/** Too large whatever is added to it; told as exactly as a number can, which sums of rounded ones would not be. */
function refuseWide(format: CompiledFormat, width: number, value: bigint, result: ScanResult): number {
  const headerLength = format.lengthOffset + width
  const strip = format.strip < 0 ? headerLength : format.strip
  const payload = value + BigInt(headerLength + format.lengthAdjustment - strip)
  result.payloadLength = Number(payload < MOST ? payload : MOST)
  result.frameLength = result.payloadLength + strip
  result.headerLength = headerLength
  return SCAN_TOO_LARGE
}

/** The largest length that is told. */
const MOST = 2n ** 64n - 1n

function readWide(format: CompiledFormat, bytes: Uint8Array, at: number, width: number): bigint {
  const isVarint = format.lengthBytes === 0
  const isLittle = isVarint || format.littleEndian
  let value = 0n
  for (let i = 0; i < width; i++) {
    const byte = BigInt(bytes[isLittle ? at + width - 1 - i : at + i])
    value = isVarint ? (value << 7n) | (byte & 0x7fn) : (value << 8n) | byte
  }
  return value
}

function judge(
  format: CompiledFormat,
  limit: number,
  width: number,
  value: number,
  result: ScanResult,
): number {
  const behind = value + format.lengthAdjustment
  const headerLength = format.lengthOffset + width
  const strip = format.strip < 0 ? headerLength : format.strip
  // Small numbers first: close to 2^53 the order of additions matters.
  const payloadLength = value + (headerLength + format.lengthAdjustment - strip)
  result.payloadLength = payloadLength
  result.frameLength = payloadLength + strip
  result.headerLength = headerLength
  if (behind < 0 || payloadLength < 0) return SCAN_INVALID
  return payloadLength > limit ? SCAN_TOO_LARGE : SCAN_BODY
}

function readBE(bytes: Uint8Array, at: number, width: number): number {
  let value = 0
  for (let i = 0; i < width; i++) value = value * 256 + bytes[at + i]
  return value
}

function readLE(bytes: Uint8Array, at: number, width: number): number {
  let value = 0
  for (let i = width - 1; i >= 0; i--) value = value * 256 + bytes[at + i]
  return value
}

/** Bytes of the varint at `at`; 0: it does not end before `to`; -1: it is longer than ten bytes or holds 2^64 and more. */
function varintWidth(bytes: Uint8Array, at: number, to: number): number {
  for (let i = 0; i < MAX_VARINT_BYTES && at + i < to; i++) {
    if (bytes[at + i] >= 0x80) continue
    return i === MAX_VARINT_BYTES - 1 && bytes[at + i] > 1 ? -1 : i + 1
  }
  // Nothing that follows can make a tenth byte above 1 valid.
  const tenth = at + MAX_VARINT_BYTES - 1
  return tenth < to && bytes[tenth] > 1 ? -1 : 0
}

function varintValue(bytes: Uint8Array, at: number, width: number): number {
  let value = 0
  for (let i = width - 1; i >= 0; i--) value = value * 128 + (bytes[at + i] & 0x7f)
  return value
}
