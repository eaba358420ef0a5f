/**
 * Serialization: what an application hands over instead of bytes. Turns values to payloads and payloads, straight from a
 * batch, to values; knows nothing of connections.
 */
import { FrameError, optionError } from '../errors.js'
import type { FrameBatch } from './batch.js'
import type { Payload } from './bytes.js'

/** A serialization of one's own. */
export interface CustomSerialization<T = unknown> {
  /** Value to text or bytes. */
  encode(value: T): Payload
  /** Payload, in memory of its own, to value. */
  decode(payload: Buffer): T
}

/**
 * What payloads are to the application: `'buffer'` bytes (default), `'text'` UTF-8, `'json'` (non-ASCII is written as it
 * is), or an object that does it.
 */
export type Serialization<T = unknown> = 'buffer' | 'text' | 'json' | CustomSerialization<T>

/** A serialization as the connection uses it. Both throw `ERR_FRAME_SERIALIZATION` with the cause. */
export interface CompiledSerialization {
  /** `custom`: the application's own. */
  readonly kind: 'buffer' | 'text' | 'json' | 'custom'
  /** The value of frame `i`; it borrows nothing from the batch. */
  decode(batch: FrameBatch, i: number): unknown
  /** What to send for a value. */
  encode(value: unknown): Payload
}

/**
 * Validates and resolves the option `serialization`.
 * @throws {TypeError} `ERR_FRAME_OPTION_INVALID`.
 */
export function resolveSerialization(
  option: Serialization<never> | Serialization = 'buffer',
): CompiledSerialization {
  switch (option) {
    case 'buffer':
      return { kind: 'buffer', decode: (batch, i) => batch.copy(i), encode: (value) => value as Payload }
    case 'text':
      return { kind: 'text', decode: (batch, i) => batch.text(i), encode: (value) => value as Payload }
    case 'json':
      return { kind: 'json', decode: decodeJson, encode: encodeJson }
    default:
      return custom(option as CustomSerialization)
  }
}

function decodeJson(batch: FrameBatch, i: number): unknown {
  // Text first: an expired batch or a missing frame is not the payload's fault.
  const text = batch.text(i)
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw failure('The payload is not JSON', cause)
  }
}

function encodeJson(value: unknown): string {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (cause) {
    throw failure('The value cannot be written as JSON', cause)
  }
  if (text === undefined) throw failure(`JSON has no way to write a value of type ${typeof value}`)
  return text
}

function custom(option: CustomSerialization): CompiledSerialization {
  if (typeof option !== 'object' || option === null) {
    throw optionError('serialization', "'buffer', 'text', 'json' or {encode, decode}", option)
  }
  if (typeof option.encode !== 'function')
    throw optionError('serialization.encode', 'a function', option.encode)
  if (typeof option.decode !== 'function')
    throw optionError('serialization.decode', 'a function', option.decode)
  return {
    kind: 'custom',
    decode(batch, i) {
      const payload = batch.copy(i)
      try {
        return option.decode(payload)
      } catch (cause) {
        throw failure('The decode function of the serialization failed', cause)
      }
    },
    encode(value) {
      try {
        return option.encode(value)
      } catch (cause) {
        throw failure('The encode function of the serialization failed', cause)
      }
    },
  }
}

function failure(message: string, cause?: unknown): FrameError {
  return new FrameError('ERR_FRAME_SERIALIZATION', { message, cause })
}
