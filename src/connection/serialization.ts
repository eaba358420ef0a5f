/** The option `serialization` as connections take it. Knows which halves do nothing and can be left out. */
import { resolveSerialization, type Serialization } from '../codec/serialization.js'
import type { ConnectionSerialization } from './types.js'

/** @throws {TypeError} `ERR_FRAME_OPTION_INVALID` */
export function connectionSerialization(option: Serialization<never> | Serialization | undefined): ConnectionSerialization {
  const { kind, decode, encode } = resolveSerialization(option)
  if (kind === 'buffer') return {}
  // What an encode function gives is checked where any payload is: by `send`.
  const checkedLater = encode as (value: unknown) => Uint8Array | string
  return kind === 'text' ? { decode } : { decode, encode: checkedLater }
}
