/** Public names of the server, and the functions that make one. */
import type { Payload } from '../codec/bytes.js'
import type { CustomSerialization } from '../codec/serialization.js'
import type { Connection } from '../connection/index.js'
import { functionOption } from '../options.js'
import { Server } from './server.js'
import type { ServerOptions } from './types.js'

export { RequestContext } from './context.js'
export { Server } from './server.js'
export type {
  DropInfo,
  ErrorReply,
  ListenOptions,
  RequestHandler,
  ServerEvents,
  ServerOptions,
  ServerStats,
} from './types.js'
export type { SocketOwner, SocketPathOptions } from './unix-path.js'

type OnConnection<In, Out> = (connection: Connection<In, Out>) => void

/**
 * Makes a server; {@link Server.listen} starts it. `onConnection` is a listener of 'connection'. Where it
 * is async and rejects with how its connection ended, nobody has to catch that.
 * @throws {TypeError} `ERR_FRAME_OPTION_INVALID`, `ERR_FRAME_FORMAT_INVALID`, naming the option.
 */
export function createServer(
  options?: ServerOptions<Buffer, Payload> & { readonly serialization?: 'buffer' },
  onConnection?: OnConnection<Buffer, Payload>,
): Server<Buffer, Payload>
export function createServer(
  options: ServerOptions<string, Payload> & { readonly serialization: 'text' },
  onConnection?: OnConnection<string, Payload>,
): Server<string, Payload>
export function createServer<In = unknown, Out = unknown>(
  options: ServerOptions<In, Out> & { readonly serialization: 'json' },
  onConnection?: OnConnection<In, Out>,
): Server<In, Out>
export function createServer<T>(
  options: ServerOptions<T, T> & { readonly serialization: CustomSerialization<T> },
  onConnection?: OnConnection<T, T>,
): Server<T, T>
export function createServer(
  options: ServerOptions,
  onConnection?: OnConnection<Buffer, Payload>,
): Server<Buffer, Payload>
export function createServer<In, Out>(
  options: ServerOptions<In, Out> = {},
  onConnection?: OnConnection<In, Out>,
): Server<In, Out> {
  const server = new Server<In, Out>(options)
  const listener = functionOption('onConnection', onConnection)
  if (listener !== undefined) server.on('connection', listener)
  return server
}
