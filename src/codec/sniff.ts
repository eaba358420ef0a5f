/**
 * Guesses what a peer speaks that does not speak this format, from the first bytes of the frame that failed. Only ever
 * a hint in an error: nothing is decided by it. The native core guesses by the same rules (native/core/sniff.cc).
 */
import type { CompiledFormat } from '../format.js'
import { readHeader, SCAN_BODY, SCAN_HEADER, SCAN_INVALID, ScanResult } from './scan.js'

export type HintName = 'http' | 'tls' | 'other-endian' | 'counts-header'

/** Beginnings of an HTTP request, or of a reply. */
const HTTP_STARTS = ['GET ', 'POST', 'PUT ', 'HEAD', 'DELE', 'OPTI', 'PATC', 'CONN', 'TRAC', 'PRI ', 'HTTP']

/** What is known of a frame that failed. */
export interface FailedFrame {
  readonly format: CompiledFormat
  readonly limit: number
  /** How it begins: as much of it as has arrived. */
  readonly head: Uint8Array
  /** It is the first of its stream: only there can a greeting of another protocol be. */
  readonly first: boolean
  /** Its bytes on the wire that came before the input ended; 0: that is not what happened. */
  readonly cutOffAfter: number
}

/** What `FrameError.hint` says of a failed frame. */
export function sniff(frame: FailedFrame): string | undefined {
  const greeting = frame.first ? sniffGreeting(frame.head) : undefined
  return greeting === undefined ? sniffField(frame) : hintText(greeting, frame.format, 0)
}

/**
 * The text of a hint.
 * @param payloadLength `other-endian`: the payload length in the other byte order.
 */
export function hintText(name: HintName, format: CompiledFormat, payloadLength: number): string {
  switch (name) {
    case 'http':
      return 'the peer seems to speak HTTP'
    case 'tls':
      return 'the peer seems to speak TLS, and frames without TLS are expected here'
    case 'counts-header':
      return "the peer's length seems to count its own header, which lengthAdjustment takes off (as in the preset workerman)"
    case 'other-endian':
      return `the peer's length seems to be ${format.littleEndian ? 'big' : 'little'}-endian (read so, it is ${payloadLength})`
  }
}

function sniffGreeting(head: Uint8Array): HintName | undefined {
  // A TLS record: handshake, then version 3.0 to 3.4.
  if (head.length >= 3 && head[0] === 0x16 && head[1] === 0x03 && head[2] <= 4) return 'tls'
  if (head.length < 4) return undefined
  return HTTP_STARTS.includes(String.fromCharCode(...head.subarray(0, 4))) ? 'http' : undefined
}

function sniffField({ format, limit, head, cutOffAfter }: FailedFrame): string | undefined {
  const asIs = new ScanResult()
  const status = readHeader(format, limit, head, 0, head.length, asIs)
  if (status === SCAN_HEADER) return undefined
  // Had the value counted the header, it would be exactly what came.
  const isCutOff = cutOffAfter > 0 && status === SCAN_BODY && format.lengthAdjustment === 0
  if (isCutOff && asIs.frameLength - asIs.headerLength === cutOffAfter)
    return hintText('counts-header', format, 0)
  if (format.lengthBytes < 2) return undefined
  const swapped = new ScanResult()
  const other = { ...format, littleEndian: !format.littleEndian, isPlainUint32BE: false }
  if (readHeader(other, limit, head, 0, head.length, swapped) !== SCAN_BODY) return undefined
  // Plausible only when far smaller than what it is as it stands.
  if (status !== SCAN_INVALID && swapped.payloadLength > asIs.payloadLength / 256) return undefined
  if (!endsOrGoesOn(other, limit, head, swapped.frameLength)) return undefined
  return hintText('other-endian', format, swapped.payloadLength)
}

/**
 * Nothing of a frame at `at`, or the length of one. A large round number looks like a small one in the other byte order
 * (5 MiB is 00 50 00 00); behind it comes payload then, where the small frame would be over. A zero proves nothing there.
 */
function endsOrGoesOn(format: CompiledFormat, limit: number, bytes: Uint8Array, at: number): boolean {
  const next = new ScanResult()
  const status = readHeader(format, limit, bytes, at, bytes.length, next)
  return status === SCAN_HEADER || (status === SCAN_BODY && next.payloadLength > 0)
}
