/**
 * What the kernel has not taken yet of what a socket of node:net was given. Node tells when a write is over, not how far
 * it has come; the handle under the socket knows. Where it does not say, nothing is counted early.
 */
import type { Duplex } from 'node:stream'

interface Source extends Duplex {
  readonly connecting?: boolean
  readonly _handle?: { readonly writeQueueSize?: unknown } | null
}

/** Bytes left of a write of `bytes`, which is the last the socket was given; undefined where that is not known. */
export function unwrittenBytes(socket: Duplex, bytes: number): number | undefined {
  const { connecting, writableCorked, writableLength, _handle } = socket as Source
  // Anything of somebody else's in front of it, or a socket that holds it back itself: then the handle speaks of other bytes.
  if (connecting === true || writableCorked > 0 || writableLength !== bytes) return undefined
  const left = _handle?.writeQueueSize
  return typeof left === 'number' && left <= bytes ? left : undefined
}
