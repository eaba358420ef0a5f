/**
 * Text between strings and bytes: UTF-8 both ways, straight from and to a place in memory. Knows where Node's own
 * methods are the fast ones and what to do where there is no Buffer; not frames.
 */

/** What Node's Buffers have beside the documented methods; the slower documented way is taken where they are missing. */
interface NativeText {
  utf8Slice?(start: number, end: number): string
  utf8Write?(text: string, at: number, most: number): number
}

/** Up to here a loop over the characters is faster than a call into the runtime (8 characters: 20 ns against 70). */
const SHORT = 12

/** `bytes[start..end)` as UTF-8; what is not UTF-8 becomes U+FFFD, a byte order mark stays. */
export function readText(bytes: Uint8Array, start: number, end: number): string {
  const native = bytes as NativeText
  if (native.utf8Slice !== undefined) return native.utf8Slice(start, end)
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(start, end))
}

/** As {@link readText}, parsed. Throws what `JSON.parse` throws. */
export function readJson(bytes: Uint8Array, start: number, end: number): unknown {
  return JSON.parse(readText(bytes, start, end))
}

/** Bytes of `text` as UTF-8. A lone surrogate counts as U+FFFD: 3 bytes. */
export function textSize(text: string): number {
  if (globalThis.Buffer !== undefined) return Buffer.byteLength(text, 'utf8')
  return new TextEncoder().encode(text).length
}

/**
 * Writes `text` as UTF-8 from `at` on and returns how many bytes that were. There must be room for it: `textSize`, or
 * 3 bytes a UTF-16 code unit, which is always enough.
 */
export function writeText(text: string, target: Uint8Array, at: number): number {
  if (text.length <= SHORT) {
    const written = writeShort(text, target, at)
    if (written >= 0) return written
  }
  const native = target as NativeText
  if (native.utf8Write !== undefined) return native.utf8Write(text, at, target.length - at)
  return new TextEncoder().encodeInto(text, target.subarray(at)).written
}

/** -1: it is not ASCII. */
function writeShort(text: string, target: Uint8Array, at: number): number {
  const { length } = text
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i)
    if (unit >= 0x80) return -1
    target[at + i] = unit
  }
  return length
}
