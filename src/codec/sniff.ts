/**
 * Guesses what a peer speaks that does not speak this format, from the first bytes of the frame that failed. Only ever
 * a hint in an error: nothing is decided by it.
 */
import type { CompiledFormat } from '../format.js'
import { readHeader, SCAN_BODY, ScanResult } from './scan.js'

/** Beginnings of an HTTP request line, or of a reply. */
const HTTP = ['GET ', 'POST', 'PUT ', 'HEAD', 'DELE', 'OPTI', 'PATC', 'CONN', 'TRAC', 'PRI ', 'HTTP']

export const HINT_HTTP = 'the peer seems to speak HTTP'
export const HINT_TLS = 'the peer seems to speak TLS; the server expects frames without TLS'
export const HINT_COUNTS_HEADER =
  "the peer's length seems to count its own header; lengthAdjustment takes that off (workerman: -4)"

/** What is known of the frame that failed. */
export interface FailedFrame {
  readonly format: CompiledFormat
  readonly limit: number
  /** The frame's bytes, as far as they have arrived, are `bytes[from..to)`. */
  readonly bytes: Uint8Array
  readonly from: number
  readonly to: number
  /** It is the first of its stream: only there a greeting of another protocol can be. */
  readonly first: boolean
}

/** A hint for a frame whose length is too large or invalid, or that the peer did not finish. */
export function sniff(frame: FailedFrame): string | undefined {
  if (frame.first) {
    const greeting = sniffGreeting(frame.bytes, frame.from, frame.to)
    if (greeting !== undefined) return greeting
  }
  return sniffEndian(frame)
}

/** A hint for a frame of `declared` bytes of which only `received` came before the stream ended. */
export function sniffTruncated(frame: FailedFrame, declared: number, received: number): string | undefined {
  if (frame.first) {
    const greeting = sniffGreeting(frame.bytes, frame.from, frame.to)
    if (greeting !== undefined) return greeting
  }
  const { format } = frame
  if (declared - received === format.headerBytes && format.lengthAdjustment === 0) return HINT_COUNTS_HEADER
  return sniffEndian(frame)
}

function sniffGreeting(bytes: Uint8Array, from: number, to: number): string | undefined {
  if (to - from < 3) return undefined
  // A TLS record: type handshake, version 3.x, then the length.
  if (bytes[from] === 0x16 && bytes[from + 1] === 0x03 && bytes[from + 2] <= 0x04) return HINT_TLS
  if (to - from < 4) return undefined
  const start = String.fromCharCode(bytes[from], bytes[from + 1], bytes[from + 2], bytes[from + 3])
  return HTTP.includes(start) ? HINT_HTTP : undefined
}

/** Read the other way round the length would have been a plausible one, and a much smaller one. */
function sniffEndian({ format, limit, bytes, from, to }: FailedFrame): string | undefined {
  if (format.lengthBytes < 2) return undefined
  const asIs = new ScanResult()
  const swapped = new ScanResult()
  readHeader(format, limit, bytes, from, to, asIs)
  const other = { ...format, littleEndian: !format.littleEndian, isPlainUint32BE: false }
  if (readHeader(other, limit, bytes, from, to, swapped) !== SCAN_BODY) return undefined
  if (asIs.payloadLength >= 0 && swapped.payloadLength > asIs.payloadLength / 256) return undefined
  const kind = format.littleEndian ? 'big' : 'little'
  return `the peer's length seems to be ${kind}-endian (${swapped.payloadLength} bytes when read so)`
}
