/** A server's options, validated and with their defaults. Knows types and ranges, not what an option does. */
import { type CompiledSerialization, resolveSerialization } from '../codec/serialization.js'
import { optionError } from '../errors.js'
import {
  choiceOption,
  countOption,
  functionOption,
  ONCE_SERVER_DEFAULTS,
  optionConflict,
  optionsObject,
  resolveChannelOptions,
  STREAM_SERVER_DEFAULTS,
} from '../options.js'
import { BACKENDS, type BackendName } from '../transport/choose.js'
import type { ListenerConfig, PeerCredentials } from '../transport/contract.js'
import type { ErrorReply, RequestHandler, ServerOptions } from './types.js'

export interface ResolvedServerOptions {
  readonly listener: Omit<ListenerConfig, 'lazy'>
  readonly backend: BackendName
  readonly serialization: CompiledSerialization
  readonly exchange: 'stream' | 'once'
  readonly onRequest: RequestHandler<never, unknown> | undefined
  readonly errorReply: ErrorReply | undefined
  readonly maxPendingRequests: number
  readonly allowPeer: ((peer: PeerCredentials) => boolean) | undefined
  readonly tls: object | undefined
}

/** @throws {TypeError} `ERR_FRAME_OPTION_INVALID`, `ERR_FRAME_FORMAT_INVALID` */
export function resolveServerOptions<In, Out>(given: ServerOptions<In, Out>): ResolvedServerOptions {
  const options: ServerOptions<In, Out> = optionsObject(given)
  const { tls } = options
  const exchange = choiceOption('exchange', options.exchange, ['stream', 'once'], 'stream')
  const channel = resolveChannelOptions(
    options,
    exchange === 'once' ? ONCE_SERVER_DEFAULTS : STREAM_SERVER_DEFAULTS,
  )
  if (tls !== undefined && (typeof tls !== 'object' || tls === null))
    throw optionError('tls', 'an object', tls)
  const allowPeer = functionOption('allowPeer', options.allowPeer)
  if (tls !== undefined && allowPeer !== undefined)
    throw optionConflict('tls and allowPeer exclude each other')
  return {
    listener: {
      ...channel,
      // Once the frame is there a handler may take its time, and before that the other deadlines hold.
      idleTimeout: exchange === 'once' ? 0 : channel.idleTimeout,
      maxConnections: countOption('maxConnections', options.maxConnections, Infinity, 0, Infinity),
      needPeer: allowPeer !== undefined,
      tls,
    },
    backend: choiceOption('backend', options.backend, BACKENDS, 'auto'),
    serialization: resolveSerialization(options.serialization),
    exchange,
    onRequest: functionOption('onRequest', options.onRequest) as RequestHandler<never, unknown> | undefined,
    errorReply: functionOption('errorReply', options.errorReply),
    maxPendingRequests: countOption('maxPendingRequests', options.maxPendingRequests, 1024, 1),
    allowPeer,
    tls,
  }
}
