/**
 * Making a connection: options to target and configuration, the time limit, the signal. Knows how to get a channel,
 * not what is said on it.
 */
import { type CompiledSerialization, resolveSerialization } from '../codec/serialization.js'
import { FrameError, optionError } from '../errors.js'
import {
  CLIENT_DEFAULTS,
  choiceOption,
  countOption,
  hostOption,
  msOption,
  optionConflict,
  optionsObject,
  resolveChannelOptions,
  signalOption,
} from '../options.js'
import { BACKENDS, chooseTransport } from '../transport/choose.js'
import type { Channel, ConnectConfig, ConnectTarget, Transport } from '../transport/contract.js'
import { withinTime } from '../transport/time-limit.js'
import { checkPath, checkPathLength } from '../transport/unix-address.js'
import type { ConnectOptions } from './types.js'

/** Where to connect to and how, validated. */
export interface Dial {
  readonly transport: Transport
  readonly target: ConnectTarget
  readonly config: ConnectConfig
  readonly serialization: CompiledSerialization
  readonly connectTimeout: number
  readonly signal: AbortSignal | undefined
}

/**
 * @throws {TypeError} `ERR_FRAME_OPTION_INVALID`, `ERR_FRAME_FORMAT_INVALID`; {FrameError}
 * `ERR_FRAME_BACKEND_UNAVAILABLE`, `ERR_FRAME_BACKEND_UNSUPPORTED`, `ERR_FRAME_PATH_TOO_LONG`
 */
export function resolveDial(given: ConnectOptions): Dial {
  const options = optionsObject<ConnectOptions>(given) as ConnectOptions
  const { tls } = options
  if (tls !== undefined && (typeof tls !== 'object' || tls === null))
    throw optionError('tls', 'an object', tls)
  const backend = choiceOption('backend', options.backend, BACKENDS, 'auto')
  return {
    target: resolveTarget(options),
    config: { ...resolveChannelOptions(options, CLIENT_DEFAULTS), tls },
    serialization: resolveSerialization(options.serialization),
    connectTimeout: msOption('connectTimeout', options.connectTimeout, 10_000),
    signal: signalOption(options.signal),
    transport: chooseTransport(backend, { tls: tls !== undefined, peer: false }),
  }
}

function resolveTarget({ path, port, host }: ConnectOptions): ConnectTarget {
  if ((path === undefined) === (port === undefined))
    throw optionConflict('exactly one of path and port is needed')
  hostOption(host, port)
  if (path !== undefined) {
    checkPathLength(checkPath(path))
    return { kind: 'path', path }
  }
  return { kind: 'port', port: countOption('port', port, 0, 1, 65535), host }
}

/**
 * Connects. `adopt` gets the channel at once and sets its `events`: nothing is delivered before.
 * @throws what `signal` was aborted with; {FrameError} `ERR_FRAME_CONNECT_TIMEOUT`; the system's `ECONNREFUSED`,
 * `ENOENT` and so on.
 */
export async function dial<T>(
  to: Dial,
  signal: AbortSignal | undefined,
  adopt: (channel: Channel) => T,
): Promise<T> {
  const { connectTimeout } = to
  const expired = () => new FrameError('ERR_FRAME_CONNECT_TIMEOUT', { limit: connectTimeout })
  return withinTime(connectTimeout, expired, signal, async (attempt) =>
    adopt(await to.transport.connect(to.target, to.config, attempt)),
  )
}
