/** wrap: a connection over any Duplex. Knows options, not how frames get to the stream. */
import { Duplex } from 'node:stream'
import type { Payload } from '../codec/bytes.js'
import { type CustomSerialization, resolveSerialization, type Serialization } from '../codec/serialization.js'
import { optionError } from '../errors.js'
import {
  type ChannelOptions,
  CLIENT_DEFAULTS,
  optionConflict,
  optionsObject,
  resolveChannelOptions,
} from '../options.js'
import { isCarried } from '../transport/js/duplex-channel.js'
import { createJsTransport } from '../transport/js/index.js'
import { Connection } from './connection.js'

export interface WrapOptions extends ChannelOptions {
  /** What 'frame', `for await` and `send` carry. Default `'buffer'`. */
  readonly serialization?: Serialization
}

/** Sends of one turn are put together in this much memory, which every wrapped stream has for itself. */
const OUT_BYTES = 64 * 1024

/**
 * Frames over a Duplex that is already open: TLS, SSH, a child process's stdio. The stream belongs to the connection
 * from then on; it is destroyed with it. Over one that is closed already the connection closes with `ERR_FRAME_CONNECTION_LOST`.
 * @throws {TypeError} `ERR_FRAME_OPTION_INVALID`, `ERR_FRAME_FORMAT_INVALID`.
 */
export function wrap(
  stream: Duplex,
  options?: WrapOptions & { readonly serialization?: 'buffer' },
): Connection<Buffer, Payload>
export function wrap(
  stream: Duplex,
  options: WrapOptions & { readonly serialization: 'text' },
): Connection<string, Payload>
export function wrap<In = unknown, Out = unknown>(
  stream: Duplex,
  options: WrapOptions & { readonly serialization: 'json' },
): Connection<In, Out>
export function wrap<T>(
  stream: Duplex,
  options: WrapOptions & { readonly serialization: CustomSerialization<T> },
): Connection<T, T>
export function wrap<In = unknown, Out = unknown>(stream: Duplex, options: WrapOptions): Connection<In, Out>
export function wrap(stream: Duplex, options?: WrapOptions): Connection<never, never> {
  if (!(stream instanceof Duplex)) throw optionError('stream', 'a Duplex', stream)
  // It would give text, from which the bytes cannot be had back.
  if (stream.readableEncoding !== null)
    throw optionConflict('stream must give bytes, and has had setEncoding called')
  // The first connection would hear nothing more of it, and its sends would never settle.
  if (isCarried(stream)) throw optionConflict('stream is a connection already')
  const given = optionsObject(options)
  const config = resolveChannelOptions(given, CLIENT_DEFAULTS)
  const serialization = resolveSerialization(given.serialization)
  return new Connection(createJsTransport(undefined, OUT_BYTES).wrap(stream, config), {
    serialization,
    policy: undefined,
    chokes: false,
  })
}
