/** The shapes a server is described with. Types only. */
import type { Payload } from '../codec/bytes.js'
import type { Serialization } from '../codec/serialization.js'
import type { Connection } from '../connection/index.js'
import type { FrameError } from '../errors.js'
import type { ChannelOptions } from '../options.js'
import type { BackendName } from '../transport/choose.js'
import type { PeerCredentials } from '../transport/contract.js'
import type { RequestContext } from './context.js'
import type { SocketPathOptions } from './unix-path.js'

/**
 * Answers a request. Replies leave in the order the requests came. `undefined`: no reply; with `exchange: 'once'` the
 * connection then just closes.
 */
export type RequestHandler<In, Out> = (
  payload: In,
  ctx: RequestContext,
  // biome-ignore lint/suspicious/noConfusingVoidType: a handler without a return statement is one that sends no reply.
) => Out | undefined | void | Promise<Out | undefined | void>

/** What the peer is told before the close: the bytes of one frame, or null for nothing. */
export type ErrorReply = (error: FrameError, ctx: RequestContext) => Payload | null | undefined

export interface ServerOptions<In = Buffer, Out = Payload> extends ChannelOptions {
  /** Default: the environment's FRAMEWIRE_BACKEND, then 'auto'. */
  readonly backend?: BackendName
  /** What payloads are to the handler and in replies, and to connections. Default 'buffer'. */
  readonly serialization?: Serialization
  /**
   * Connections at a time; further ones are closed unread, with a 'drop' event. Default Infinity. With `exchange: 'once'` they
   * are told so first (`ERR_FRAME_CONNECTION_LIMIT`), up to 128 of them at a time beside those that are served.
   */
  readonly maxConnections?: number
  /**
   * `'stream'` (default): any number of frames. `'once'`: one frame each way, then a close that lets the reply arrive;
   * whatever happens the peer is answered.
   */
  readonly exchange?: 'stream' | 'once'
  /** Answers every frame. Without it connections are handed to `onConnection` and the 'connection' event. */
  readonly onRequest?: RequestHandler<In, Out>
  /**
   * The last frame a peer gets when its connection is closed for an error: of the protocol, a deadline or the handler
   * (`ERR_FRAME_HANDLER`, with `cause`). Sent as it is, past `serialization`. Default: none, and with
   * `exchange: 'once'` a JSON refusal, which is also what is sent when `errorReply` fails there.
   */
  readonly errorReply?: ErrorReply
  /** Requests of one connection whose handlers have not finished; further ones wait unread, as they do behind 1 MiB. Default 1,024. */
  readonly maxPendingRequests?: number
  /**
   * Unix sockets, native backend: whether a peer may connect, asked before a byte is read. Listening on anything that
   * cannot tell who the peer is fails with `ERR_FRAME_BACKEND_UNSUPPORTED`.
   */
  readonly allowPeer?: (peer: PeerCredentials) => boolean
  /** Options of `tls.createServer`; js backend. */
  readonly tls?: object
}

interface ListenCommon {
  /** Connections the system keeps waiting, capped by it (`somaxconn`). Default 4,096. */
  readonly backlog?: number
  /** Aborting it closes the server. */
  readonly signal?: AbortSignal
}

/**
 * Where to listen: a unix socket, a TCP port (0: any that is free), or a descriptor that was inherited. The server closes
 * it (worker threads: a duplicate of it); one that it cannot listen on stays open, except that the js backend closes a
 * stream socket which is connected, or a unix socket which is not bound.
 */
export type ListenOptions = ListenCommon &
  (
    | (SocketPathOptions & { readonly path: string; readonly port?: undefined; readonly fd?: undefined })
    | (NoSocketPath & { readonly port: number; readonly host?: string; readonly fd?: undefined })
    | (NoSocketPath & { readonly fd: number; readonly port?: undefined })
  )

interface NoSocketPath {
  readonly path?: undefined
  readonly mode?: undefined
  readonly owner?: undefined
}

/** Connections that were turned away at accept. */
export interface DropInfo {
  /** `'limit'`: over `maxConnections`; `'descriptors'`: the process has none left; `'peer'`: `allowPeer` refused it. */
  readonly reason: 'limit' | 'descriptors' | 'peer'
  readonly count: number
  /** Who it was, where the reason is `'peer'`. */
  readonly peer?: PeerCredentials | null
}

/** Events of a server and what their listeners are called with. */
export interface ServerEvents<In, Out> {
  connection: [connection: Connection<In, Out>]
  listening: []
  /** The server and all its connections are closed. */
  close: []
  drop: [info: DropInfo]
  /**
   * A handler failed (`ERR_FRAME_HANDLER`, the connection beside it), or accepting did. Emitted only when somebody
   * listens: a peer never crashes the process.
   */
  error: [error: Error, connection?: Connection<In, Out>]
}

/** Counters of a server since it was made, over all connections; bytes are bytes on the wire. */
export interface ServerStats {
  /** null before `listen`. */
  readonly backend: 'native' | 'js' | null
  /** Open now. */
  readonly connections: number
  readonly accepted: number
  /** Turned away at accept. */
  readonly dropped: number
  readonly framesReceived: number
  readonly bytesReceived: number
  readonly framesSent: number
  readonly bytesSent: number
  /** Requests given to the handler, and those of them whose reply has not left. */
  readonly requests: number
  readonly pendingRequests: number
  /** Connections that were closed for an error of their peer, and requests whose handler failed. */
  readonly faults: number
  readonly handlerFailures: number
  /** Bytes that count against `memoryBudget` now; 0 once the server is closed, whoever keeps frames of it. */
  readonly heldBytes: number
}
