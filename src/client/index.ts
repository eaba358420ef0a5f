/** Public names of the client side, and the functions that connect. */
import type { Payload } from '../codec/bytes.js'
import type { CustomSerialization } from '../codec/serialization.js'
import { publish } from '../connection/diagnostics.js'
import { Connection } from '../connection/index.js'
import { Client } from './client.js'
import { dial, resolveDial } from './dial.js'
import { requestOnce } from './request.js'
import type { ClientOptions, ConnectOptions, RequestOptions } from './types.js'

export { Client } from './client.js'
export type {
  ClientEvents,
  ClientOptions,
  ClientStats,
  ConnectOptions,
  ReconnectOptions,
  RequestOptions,
} from './types.js'

type AsBuffer = { readonly serialization?: 'buffer' }
type AsText = { readonly serialization: 'text' }
type AsJson = { readonly serialization: 'json' }
type AsCustom<T> = { readonly serialization: CustomSerialization<T> }

/**
 * Connects to a unix socket or a TCP port.
 * @throws (rejects) {FrameError} `ERR_FRAME_CONNECT_TIMEOUT`, `ERR_FRAME_BACKEND_UNAVAILABLE`,
 * `ERR_FRAME_BACKEND_UNSUPPORTED`, `ERR_FRAME_PATH_TOO_LONG`; {TypeError} `ERR_FRAME_OPTION_INVALID`; the system's `ECONNREFUSED`, `ENOENT` and so
 * on; what `signal` was aborted with.
 */
export function connect(options: ConnectOptions & AsBuffer): Promise<Connection<Buffer, Payload>>
export function connect(options: ConnectOptions & AsText): Promise<Connection<string, Payload>>
export function connect<In = unknown, Out = unknown>(
  options: ConnectOptions & AsJson,
): Promise<Connection<In, Out>>
export function connect<T>(options: ConnectOptions & AsCustom<T>): Promise<Connection<T, T>>
export function connect<In = unknown, Out = unknown>(options: ConnectOptions): Promise<Connection<In, Out>>
export async function connect(options: ConnectOptions): Promise<Connection<never, never>> {
  const to = resolveDial(options)
  return dial(to, to.signal, (channel) => {
    const connection = new Connection<never, never>(channel, {
      serialization: to.serialization,
      policy: undefined,
      chokes: false,
    })
    publish('framewire:connection', () => ({ connection }))
    return connection
  })
}

/**
 * One request on a connection of its own: connects, sends `payload`, resolves with the first frame that comes back,
 * and closes. `timeout` (default 30,000 ms) covers all of it.
 * @throws (rejects) as {@link connect}, and {FrameError} `ERR_FRAME_REQUEST_TIMEOUT`; `ERR_FRAME_CONNECTION_LOST` when the
 * peer closes without a reply; both with `neverWritten`.
 */
export function request(
  options: ConnectOptions & AsBuffer,
  payload: Payload,
  requestOptions?: RequestOptions,
): Promise<Buffer>
export function request(
  options: ConnectOptions & AsText,
  payload: Payload,
  requestOptions?: RequestOptions,
): Promise<string>
export function request<In = unknown>(
  options: ConnectOptions & AsJson,
  payload: unknown,
  requestOptions?: RequestOptions,
): Promise<In>
export function request<T>(
  options: ConnectOptions & AsCustom<T>,
  payload: T,
  requestOptions?: RequestOptions,
): Promise<T>
export function request<In = unknown>(
  options: ConnectOptions,
  payload: unknown,
  requestOptions?: RequestOptions,
): Promise<In>
export async function request(
  options: ConnectOptions,
  payload: unknown,
  requestOptions?: RequestOptions,
): Promise<unknown> {
  return requestOnce(resolveDial(options), payload, requestOptions)
}

/**
 * Makes a client, which starts to connect at once and keeps its connections until it is closed. The peer must answer
 * every request with one frame, in order; {@link Server} with `onRequest` does.
 * @throws {TypeError} `ERR_FRAME_OPTION_INVALID`, `ERR_FRAME_FORMAT_INVALID`; {FrameError}
 * `ERR_FRAME_BACKEND_UNAVAILABLE`, `ERR_FRAME_BACKEND_UNSUPPORTED`, `ERR_FRAME_PATH_TOO_LONG`
 */
export function createClient(options: ClientOptions & AsBuffer): Client<Buffer, Payload>
export function createClient(options: ClientOptions & AsText): Client<string, Payload>
export function createClient<In = unknown, Out = unknown>(options: ClientOptions & AsJson): Client<In, Out>
export function createClient<T>(options: ClientOptions & AsCustom<T>): Client<T, T>
export function createClient<In = unknown, Out = unknown>(options: ClientOptions): Client<In, Out>
export function createClient(options: ClientOptions): Client<never, never> {
  return new Client(options)
}
