/** Reads text and JSON straight from bytes, without a view where that is slower. Knows UTF-8, not frames. */

/** `bytes[start..end)` as UTF-8; what is not UTF-8 becomes U+FFFD, a byte order mark stays. */
export function readText(bytes: Uint8Array, start: number, end: number): string {
  return (bytes as Buffer).toString('utf8', start, end)
}

export function readJson(bytes: Uint8Array, start: number, end: number): unknown {
  return JSON.parse(readText(bytes, start, end))
}
