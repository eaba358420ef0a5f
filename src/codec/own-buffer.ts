/**
 * Own memory for payloads: Buffers (Uint8Arrays where there is no Buffer) that share nothing with a transport's slab.
 * Knows memory sizes, not frames of a stream. Every byte that is handed out has been written.
 *
 * What a kept payload keeps alive is bounded: up to 12 bytes it has memory of its own on the JS heap; below 32 KiB it is cut
 * from a chunk that holds its neighbours only, of at most 8 KiB or 64 times its own size, and never more than 64 KiB; from
 * there on it has an ArrayBuffer of its own. What is copied by itself is cut from Node's pool (`Buffer.poolSize`: 8 KiB, 64 KiB
 * from Node 24 on), as every Buffer of middle size is.
 */
import type { FrameTable } from './batch.js'

/** Largest payload that is copied to the JS heap byte by byte. */
const SMALL = 12
/** Payloads from here on have an ArrayBuffer of their own. */
const LARGE = 32 * 1024
/** Neighbours are copied in one piece: of at most CHUNK bytes, or CHUNK_TIMES the smallest one's size up to CHUNK_MOST. */
const CHUNK = 8192
const CHUNK_TIMES = 64
const CHUNK_MOST = 64 * 1024

/**
 * Called with memory that several payloads lie in before they are handed out: it keeps `postMessage` from transferring
 * it, with which the neighbours of the payload that was meant would be lost. As Node's own pool is kept.
 */
export type Seal = (memory: ArrayBufferLike) => void

interface BytesConstructor {
  new (length: number): Buffer
  new (memory: ArrayBufferLike, byteOffset: number, length: number): Buffer
}

/**
 * The class Node's own Buffers are made with: `new` of it costs 30 ns where `subarray` costs 60 and `Buffer.from` 130,
 * and the result has `Buffer.prototype` (a subclass of ours would not be deepStrictEqual to a Buffer).
 */
function bytesConstructor(): BytesConstructor {
  const NodeBuffer = globalThis.Buffer as (typeof Buffer & { [Symbol.species]?: unknown }) | undefined
  if (NodeBuffer === undefined) return Uint8Array as unknown as BytesConstructor
  const species = NodeBuffer[Symbol.species]
  if (typeof species === 'function' && species.prototype === NodeBuffer.prototype)
    return species as BytesConstructor
  return function from(memory: ArrayBufferLike | number, byteOffset?: number, length?: number): Buffer {
    return typeof memory === 'number' ? NodeBuffer.alloc(memory) : NodeBuffer.from(memory, byteOffset, length)
  } as unknown as BytesConstructor
}

/** `new OwnBytes(length)` (zeroed) or `new OwnBytes(memory, byteOffset, length)`: a Buffer, in a browser a Uint8Array. */
export const OwnBytes: BytesConstructor = bytesConstructor()

/** V8 keeps typed arrays of up to this size on the JS heap; beyond it `new` costs ten times as much. */
const ON_HEAP = 64

/** Memory that the caller writes whole before anybody sees it; never a part of anything. */
export function allocate(length: number): Buffer {
  return length > ON_HEAP && globalThis.Buffer !== undefined
    ? Buffer.allocUnsafeSlow(length)
    : new OwnBytes(length)
}

/** As {@link allocate}, but of middle size cut from Node's pool: what a caller gets to keep. */
export function allocatePooled(length: number): Buffer {
  return length > ON_HEAP && globalThis.Buffer !== undefined
    ? Buffer.allocUnsafe(length)
    : new OwnBytes(length)
}

/** An own copy of `bytes[start..end)`. */
export function copyBytes(bytes: Uint8Array, start: number, end: number): Buffer {
  const length = end - start
  const copy = allocatePooled(length)
  if (length <= SMALL) for (let i = 0; i < length; i++) copy[i] = bytes[start + i]
  else copy.set(piece(bytes, start, length))
  return copy
}

/** {@link shareFrom} for memory that somebody writes to again: nothing of it is given away. */
export const NEVER = Number.POSITIVE_INFINITY

/**
 * Least size of a payload that may be given away as a piece of so many bytes, which nobody writes to again, instead of a copy:
 * from there on it keeps no more alive than a copy would.
 */
export function shareFrom(byteLength: number): number {
  return byteLength <= CHUNK ? ON_HEAP + 1 : Math.max(ON_HEAP + 1, Math.ceil(byteLength / CHUNK_TIMES))
}

/**
 * Own Buffers of the frames `from..to` of a table (rows of start and end, the first at `base`), appended to `out`.
 * Neighbours are copied together, headers and all, and cut apart: 30 to 50 ns a payload of 64 bytes.
 * @param share payloads from this size on are given away where they lie: {@link shareFrom} or {@link NEVER}.
 * @param seal for the memory of copies that are cut apart; what is given away has been sealed by who owns it.
 */
export function copyRows(
  bytes: Uint8Array,
  table: FrameTable,
  base: number,
  from: number,
  to: number,
  out: Uint8Array[],
  share: number,
  seal: Seal | undefined,
): void {
  const last = base + 2 * to
  const most = Math.min(share, LARGE)
  let entry = base + 2 * from
  while (entry < last) {
    const start = table[entry]
    const length = table[entry + 1] - start
    if (length > SMALL && length < most) {
      const next = chunkEnd(table, entry, last, most)
      cutChunk(bytes, table, entry, next, out, seal)
      entry = next
    } else {
      const isShared = length >= share
      out.push(isShared ? piece(bytes, start, length) : copyBytes(bytes, start, start + length))
      entry += 2
    }
  }
}

/** `length` bytes from `start` on, where they lie. */
export function piece(bytes: Uint8Array, start: number, length: number): Buffer {
  return new OwnBytes(bytes.buffer, bytes.byteOffset + start, length)
}

/** Entry behind the neighbours, from `entry` on, that are smaller than `large`, not small, and lie within one chunk. */
function chunkEnd(table: FrameTable, entry: number, last: number, large: number): number {
  const origin = table[entry]
  let most = chunkSize(table[entry + 1] - origin)
  let next = entry + 2
  while (next < last) {
    const end = table[next + 1]
    const length = end - table[next]
    if (length <= SMALL || length >= large) break
    most = Math.min(most, chunkSize(length))
    if (end - origin > most) break
    next += 2
  }
  return next
}

/** Most memory that a kept payload of this size may keep alive. */
function chunkSize(length: number): number {
  return Math.max(CHUNK, Math.min(CHUNK_MOST, CHUNK_TIMES * length))
}

function cutChunk(
  bytes: Uint8Array,
  table: FrameTable,
  entry: number,
  next: number,
  out: Uint8Array[],
  seal: Seal | undefined,
): void {
  const origin = table[entry]
  const length = table[next - 1] - origin
  const { buffer: memory, byteOffset } = copyChunk(bytes, origin, length)
  if (next - entry > 2) seal?.(memory)
  // Stores at the end, where push would be a call.
  let at = out.length
  for (let row = entry; row < next; row += 2) {
    const start = table[row] - origin
    out[at++] = new OwnBytes(memory, byteOffset + start, table[row + 1] - origin - start)
  }
}

function copyChunk(bytes: Uint8Array, start: number, length: number): Uint8Array {
  const chunk = allocate(length)
  chunk.set(piece(bytes, start, length))
  return chunk
}
