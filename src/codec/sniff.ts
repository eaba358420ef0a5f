/**
 * Guesses what a peer speaks that does not speak this format, from the first bytes of the frame that failed. Only ever
 * a hint in an error: nothing is decided by it. The native core guesses by the same rules (native/core/sniff.cc).
 */
import type { CompiledFormat } from '../format.js'
import { readHeader, SCAN_BODY, SCAN_TOO_LARGE, ScanResult } from './scan.js'

export type HintName = 'http' | 'tls' | 'other-endian' | 'counts-header'

/** What `FrameError.hint` says. */
export const HINTS: Readonly<Record<HintName, string>> = Object.freeze({
  http: 'the peer seems to speak HTTP',
  tls: 'the peer seems to speak TLS, and frames without TLS are expected here',
  'other-endian': 'the length seems to be written in the other byte order (format.endian)',
  'counts-header':
    'the length seems to count its own header (format.lengthAdjustment, as in the preset workerman)',
})

/** Beginnings of an HTTP request, or of a reply. */
const HTTP_STARTS = [
  'GET ',
  'POST ',
  'PUT ',
  'HEAD ',
  'DELETE ',
  'OPTIONS ',
  'PATCH ',
  'CONNECT ',
  'TRACE ',
  'PRI * HTTP',
  'HTTP/',
]

/** Bytes of a frame that are looked at. */
const HEAD = 16

/** A hint for a frame refused as too large or invalid. `head` is how it begins. */
export function sniff(format: CompiledFormat, limit: number, head: Uint8Array): HintName | undefined {
  const bytes = head.subarray(0, HEAD)
  const greeting = sniffGreeting(bytes)
  if (greeting !== undefined) return greeting
  const result = new ScanResult()
  if (readHeader(format, limit, bytes, 0, bytes.length, result) !== SCAN_TOO_LARGE) return undefined
  return readSwapped(format, limit, bytes, result) ? 'other-endian' : undefined
}

/** A hint for a frame that the stream's end cut off; `received` of its bytes, header included, had come. */
export function sniffTruncated(
  format: CompiledFormat,
  limit: number,
  head: Uint8Array,
  received: number,
): HintName | undefined {
  const bytes = head.subarray(0, HEAD)
  const greeting = sniffGreeting(bytes)
  if (greeting !== undefined) return greeting
  const result = new ScanResult()
  if (readHeader(format, limit, bytes, 0, bytes.length, result) !== SCAN_BODY) return undefined
  // Had the value counted the header, it would be exactly what came.
  if (format.lengthAdjustment === 0 && result.frameLength - result.headerLength === received)
    return 'counts-header'
  return readSwapped(format, limit, bytes, result) && result.frameLength === received
    ? 'other-endian'
    : undefined
}

function sniffGreeting(bytes: Uint8Array): HintName | undefined {
  if (bytes.length >= 4) {
    const text = String.fromCharCode(...bytes)
    if (HTTP_STARTS.some((start) => text.startsWith(start.slice(0, text.length)))) return 'http'
  }
  // A TLS record: handshake, then version 3.0 to 3.4.
  const isTls =
    bytes.length >= 2 && bytes[0] === 0x16 && bytes[1] === 0x03 && (bytes.length < 3 || bytes[2] <= 4)
  return isTls ? 'tls' : undefined
}

/** Reads the header as a peer with the other byte order would have meant it: true when that is a frame. */
function readSwapped(format: CompiledFormat, limit: number, bytes: Uint8Array, result: ScanResult): boolean {
  if (format.lengthBytes < 2) return false
  const swapped = { ...format, littleEndian: !format.littleEndian, isPlainUint32BE: false }
  return readHeader(swapped, limit, bytes, 0, bytes.length, result) === SCAN_BODY
}
