/** The shapes a client is described with. Types only. */
import type { Serialization } from '../codec/serialization.js'
import type { ChannelOptions } from '../options.js'
import type { BackendName } from '../transport/choose.js'

interface ConnectCommon extends ChannelOptions {
  /** Default: the environment's FRAMEWIRE_BACKEND, then 'auto'. */
  readonly backend?: BackendName
  /** What payloads are to the application. Default 'buffer'. */
  readonly serialization?: Serialization
  /** From the call until the connection is made, the name's look-up included, whole ms, 0 = off. Default 10,000. */
  readonly connectTimeout?: number
  /** Options of `tls.connect`; js backend. */
  readonly tls?: object
}

/** Where to connect to, and how: a unix socket's path, or a TCP port (host: default the local machine). */
export type ConnectOptions = ConnectCommon &
  (
    | { readonly path: string; readonly port?: undefined; readonly host?: undefined }
    | { readonly port: number; readonly host?: string; readonly path?: undefined }
  ) & {
    /**
     * `connect`: ends the attempt to connect, with its reason; it does nothing to a connection that is made. `request`: ends
     * the request, with its reason. `createClient`: closes the client at once, see {@link ClientOptions}.
     */
    readonly signal?: AbortSignal
  }

export interface RequestOptions {
  /** Until the reply is there, connecting included, whole ms, 0 = off. Default: the client's `requestTimeout`. */
  readonly timeout?: number
  /** Ends the waiting, with its reason. A request that was sent is not taken back; its reply is dropped. */
  readonly signal?: AbortSignal
}

/**
 * Delays before attempts to connect again: they double from `initial` to `max` and are shortened at random. They start again
 * at `initial` after a connection on which a frame came, or that held for `max`.
 */
export interface ReconnectOptions {
  /** Whole ms, at least 1; no delay is longer than `max`, the first one neither. Default 50. */
  readonly initial?: number
  /** Whole ms, at least 1. Default 5,000. */
  readonly max?: number
  /** Share of a delay that is random, 0 to 1. Default 0.5. */
  readonly jitter?: number
}

/**
 * How a client connects, and what it does beside. When `signal` is aborted, at any time, the client is closed at once: requests
 * in flight and those that wait are rejected with the signal's reason, what is not written yet is dropped.
 */
export type ClientOptions = ConnectOptions & {
  /** Connections that are kept open. Default 1. */
  readonly connections?: number
  /**
   * Default of a request's `timeout`, whole ms, 0 = off. Default 30,000. A connection whose oldest reply is overdue for this long, or for as
   * long as any request on it waits where that is longer, is given up and made anew.
   */
  readonly requestTimeout?: number
  /** What is done when a connection is lost or cannot be made; false: nothing. Default: see {@link ReconnectOptions}. */
  readonly reconnect?: boolean | ReconnectOptions
  /**
   * Requests and sends that wait while no connection is there; further ones are refused
   * (`ERR_FRAME_CONNECTION_LOST` with `limit`). Default 10,000.
   */
  readonly maxQueued?: number
}

/** Events of a client and what their listeners are called with. */
export interface ClientEvents {
  connect: [info: { readonly connectionId: number }]
  /** A connection is lost, closed by the peer, or ended by an error of the protocol. */
  disconnect: [error: Error, info: { readonly connectionId: number }]
  /** The next attempt of one connection, after `delay` ms; `error` is what the last one ended with. */
  reconnecting: [info: { readonly attempt: number; readonly delay: number; readonly error: Error }]
  /** A connection could not be made. Emitted only when somebody listens. */
  error: [error: Error]
  close: []
}

/** Counters of a client since it was made. */
export interface ClientStats {
  readonly backend: 'native' | 'js'
  /** Connections that are there now. */
  readonly connections: number
  /** Requests sent whose reply has not come, those given up included: their replies still have to pass. */
  readonly pending: number
  /** Requests and sends that wait for a connection. */
  readonly queued: number
  readonly requests: number
  readonly sends: number
  readonly replies: number
  /** Replies to requests that had been given up, and frames nobody had asked for. */
  readonly discarded: number
  readonly timeouts: number
  readonly connects: number
  readonly disconnects: number
}
