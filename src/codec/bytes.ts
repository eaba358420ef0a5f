/** What counts as bytes: the rule for every payload and chunk that comes from outside. */
import { argumentError, payloadTypeError } from '../errors.js'

/** Bytes, whatever the element type: a view is the bytes it covers. */
export type Bytes = ArrayBufferView | ArrayBuffer | SharedArrayBuffer

/** A payload: text is sent as UTF-8. */
export type Payload = string | Bytes

type Getters = Readonly<Record<'buffer' | 'byteOffset' | 'byteLength', () => unknown>>

/** How a view's memory is asked for: its own `length` or `byteOffset` may be a property that says anything. */
const ofTypedArray: Getters = gettersOf(Object.getPrototypeOf(Uint8Array.prototype))
const ofDataView: Getters = gettersOf(DataView.prototype)

const byteLengthOf = ofTypedArray.byteLength
/** The element type by its internal slot; undefined for what is no typed array. */
const kindOf = getterOf(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)

/**
 * `value` as a Uint8Array over the same memory, with the `length` it really has: what is read behind the end of a payload is
 * somebody else's.
 * @throws {TypeError} `ERR_FRAME_PAYLOAD_TYPE`, `ERR_FRAME_PAYLOAD_DETACHED`.
 */
export function toBytes(value: unknown, what: 'payload' | 'chunk' = 'payload'): Uint8Array {
  if (value instanceof Uint8Array && ArrayBuffer.isView(value)) {
    const { length } = value
    // `length` first, and the list a literal: the compiler then makes a load of what would be a call.
    if (length > 0 && Reflect.apply(byteLengthOf, value, []) === length) return value
  }
  return toBytesSlowly(value, what)
}

function toBytesSlowly(value: unknown, what: 'payload' | 'chunk'): Uint8Array {
  if (ArrayBuffer.isView(value)) {
    const view = Reflect.apply(kindOf, value, []) === undefined ? ofDataView : ofTypedArray
    const memory = Reflect.apply(view.buffer, value, []) as ArrayBufferLike
    // A DataView over detached memory throws at its getters, a typed array reads 0.
    checkAttached(memory)
    const byteOffset = Reflect.apply(view.byteOffset, value, []) as number
    return new Uint8Array(memory, byteOffset, Reflect.apply(view.byteLength, value, []) as number)
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

function gettersOf(prototype: object): Getters {
  return {
    buffer: getterOf(prototype, 'buffer'),
    byteOffset: getterOf(prototype, 'byteOffset'),
    byteLength: getterOf(prototype, 'byteLength'),
  }
}

function getterOf(prototype: object, name: string | symbol): () => unknown {
  return Object.getOwnPropertyDescriptor(prototype, name)?.get as () => unknown
}

function hasSlot(prototype: object, value: object): boolean {
  try {
    getterOf(prototype, 'byteLength').call(value)
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
