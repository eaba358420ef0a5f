/**
 * Memory that a transport goes on writing to by its address while others see it: it stays where it is, whoever asks for it to be
 * moved. Knows what a runtime has for that, not what lies in it.
 */
import { OwnBytes, piece } from '../own-buffer.js'
import { seal } from './seal.js'

const PAGE_BYTES = 64 * 1024

interface Memory {
  readonly buffer: ArrayBuffer
}
/** TypeScript has it in its library for browsers only. */
type WebAssemblyApi = { Memory: new (limits: { initial: number; maximum: number }) => Memory }

/** `transfer()` and streams of bytes move sealed memory, until Node 24 made both keep to the seal. */
const SEAL_IS_LOOSE = isMoved()

function isMoved(): boolean {
  const sample = new ArrayBuffer(1) as ArrayBuffer & { transfer?(): ArrayBuffer }
  // Older than both: streams do.
  if (sample.transfer === undefined) return true
  seal(sample)
  try {
    sample.transfer()
  } catch {
    return false
  }
  return sample.byteLength === 0
}

/**
 * At least `bytes` bytes. Where a seal is loose they are WebAssembly's, which nothing moves; where there is no WebAssembly
 * either (`--jitless`), or no address space for it, nothing keeps them from who moves them.
 */
export function fixedMemory(bytes: number): Buffer {
  const memory = SEAL_IS_LOOSE ? webAssemblyMemory(Math.ceil(bytes / PAGE_BYTES)) : undefined
  if (memory !== undefined) return new OwnBytes(memory, 0, memory.byteLength)
  const buffer = Buffer.allocUnsafeSlow(bytes)
  seal(buffer.buffer)
  return buffer
}

/** {@link fixedMemory} of each of these sizes: of its own, or where address space is dear in one piece. */
export function fixedPieces(...sizes: number[]): Buffer[] {
  if (!SEAL_IS_LOOSE) return sizes.map(fixedMemory)
  const whole = fixedMemory(sizes.reduce((total, size) => total + size, 0))
  let at = 0
  return sizes.map((size) => {
    at += size
    return piece(whole, at - size, size)
  })
}

function webAssemblyMemory(pages: number): ArrayBuffer | undefined {
  const { WebAssembly } = globalThis as { WebAssembly?: WebAssemblyApi }
  try {
    return WebAssembly && new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer
  } catch {
    return undefined
  }
}
