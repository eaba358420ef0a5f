/** What a request handler is told about where its request came from. Knows a session's facts, not how it works. */
import type { Payload } from '../codec/bytes.js'
import type { Connection } from '../connection/index.js'
import type { PeerCredentials } from '../transport/contract.js'

/** @internal */
export interface ContextSource {
  readonly id: number
  readonly connection: Connection<never, never>
  readonly peer: PeerCredentials | null
  readonly remoteAddress: string | undefined
  readonly signal: AbortSignal
}

/** One for all requests of a connection. */
export class RequestContext {
  readonly #source: ContextSource

  /** @internal Contexts come from a server. */
  constructor(source: ContextSource) {
    this.#source = source
  }

  /** `Connection.id`. */
  get id(): number {
    return this.#source.id
  }

  /** The connection itself, made when it is first asked for. Its frames belong to the handler. */
  get connection(): Connection<never, Payload> {
    return this.#source.connection as unknown as Connection<never, Payload>
  }

  /** Who is at the other end of a unix socket; null: not a unix socket, or the backend cannot tell. */
  get peer(): PeerCredentials | null {
    return this.#source.peer
  }

  /** Address of the peer of a TCP connection. */
  get remoteAddress(): string | undefined {
    return this.#source.remoteAddress
  }

  /**
   * Aborted when the connection is closed or lost, for work that nobody waits for any more. A peer that is gone is
   * noticed while the server reads or writes: with `exchange: 'once'`, which reads nothing behind the request, when the
   * reply is written.
   */
  get signal(): AbortSignal {
    return this.#source.signal
  }
}
