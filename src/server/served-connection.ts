/**
 * Connections whose frames are their user's: the server only closes them, and says why when it must. One policy serves
 * all of them, because there is nothing to remember for each.
 */
import type { CompiledSerialization } from '../codec/serialization.js'
import { Connection } from '../connection/index.js'
import type { ConnectionInit, ConnectionPolicy } from '../connection/types.js'
import { FrameError } from '../errors.js'
import type { Channel, PeerCredentials } from '../transport/contract.js'
import { type ContextSource, RequestContext } from './context.js'
import type { Served } from './served-list.js'
import { ERROR_LINGER, isPeersFault, type SessionHost, sendErrorReply } from './session.js'

export class ServedConnection extends Connection<never, never> implements Served {
  previous: Served | undefined
  next: Served | undefined

  get connection(): this {
    return this
  }

  /** Ends our side; the peer, having read that, ends its own. */
  finish(): void {
    this.channel.end()
  }
}

export class ServedPolicy implements ConnectionInit, ConnectionPolicy {
  readonly serialization: CompiledSerialization
  readonly chokes = true
  readonly #host: SessionHost

  constructor(host: SessionHost) {
    this.#host = host
    this.serialization = host.serialization
  }

  get policy(): this {
    return this
  }

  serve(channel: Channel): ServedConnection {
    return new ServedConnection(channel, this)
  }

  onFault(connection: ServedConnection, error: FrameError, lost: boolean): boolean {
    if (isPeersFault(error, lost)) this.#host.totals.faults++
    if (lost) return true
    const { channel } = connection
    sendErrorReply(this.#host, connection, error, () => new RequestContext(new ServedSource(connection)))
    channel.close(ERROR_LINGER)
    return true
  }

  onEnd(): boolean {
    return false
  }

  onClosed(): void {}

  onOver(connection: ServedConnection): void {
    this.#host.onClosed(connection)
  }
}

/** What `errorReply` is told of a connection that has no session. */
class ServedSource implements ContextSource {
  readonly connection: ServedConnection
  #abort: AbortController | undefined

  constructor(connection: ServedConnection) {
    this.connection = connection
  }

  get id(): number {
    return this.connection.id
  }

  get peer(): PeerCredentials | null {
    return this.connection.peer
  }

  get remoteAddress(): string | undefined {
    return this.connection.remoteAddress
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      const abort = new AbortController()
      const { connection } = this
      const onClose = () =>
        abort.abort(new FrameError('ERR_FRAME_CONNECTION_LOST', { connectionId: connection.id }))
      if (connection.closed) onClose()
      else connection.once('close', onClose)
      this.#abort = abort
    }
    return this.#abort.signal
  }
}
