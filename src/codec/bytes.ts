/** What counts as bytes: the rule for every payload and chunk that comes from outside. */
import { argumentError, payloadTypeError } from '../errors.js'

/** Bytes, whatever the element type: a view is the bytes it covers. */
export type Bytes = ArrayBufferView | ArrayBuffer | SharedArrayBuffer

/** A payload: text is sent as UTF-8. */
export type Payload = string | Bytes

/**
 * `value` as a Uint8Array over the same memory.
 * @throws {TypeError} `ERR_FRAME_PAYLOAD_TYPE`, `ERR_FRAME_PAYLOAD_DETACHED`.
 */
export function toBytes(value: unknown, what: 'payload' | 'chunk' = 'payload'): Uint8Array {
  if (value instanceof Uint8Array && ArrayBuffer.isView(value)) {
    if (value.length === 0) checkAttached(value.buffer)
    return value
  }
  return toBytesSlowly(value, what)
}

function toBytesSlowly(value: unknown, what: 'payload' | 'chunk'): Uint8Array {
  if (ArrayBuffer.isView(value)) {
    const memory = value.buffer
    // A DataView over detached memory throws at its getters, a typed array reads 0.
    checkAttached(memory)
    return new Uint8Array(memory, value.byteOffset, value.byteLength)
  }
  if (isMemory(value)) {
    checkAttached(value)
    return new Uint8Array(value)
  }
  throw payloadTypeError(value, what)
}

/** An ArrayBuffer or SharedArrayBuffer of any realm, by its internal slot and not by what it says it is. */
function isMemory(value: unknown): value is ArrayBuffer | SharedArrayBuffer {
  if (typeof value !== 'object' || value === null) return false
  return (
    hasSlot(ArrayBuffer.prototype, value) ||
    (typeof SharedArrayBuffer === 'function' && hasSlot(SharedArrayBuffer.prototype, value))
  )
}

function hasSlot(prototype: object, value: object): boolean {
  const getter = Object.getOwnPropertyDescriptor(prototype, 'byteLength')?.get as () => number
  try {
    getter.call(value)
    return true
  } catch {
    return false // a TypeError: not of this kind, which is the answer
  }
}

/** A detached buffer has length 0 and refuses a view. */
function checkAttached(memory: ArrayBufferLike): void {
  if (memory.byteLength > 0) return
  try {
    new Uint8Array(memory)
  } catch {
    throw argumentError('ERR_FRAME_PAYLOAD_DETACHED')
  }
}
