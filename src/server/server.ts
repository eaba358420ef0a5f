/**
 * Server: listens, makes a session for every connection, counts, and closes. Knows where to listen and who is there;
 * what is said on a connection is its session's.
 */

import { EventEmitter } from 'node:events'
import type { Payload } from '../codec/bytes.js'
import { hasSubscribers, publish } from '../connection/diagnostics.js'
import { emitFor, emitGuarded } from '../connection/guard.js'
import type { Connection } from '../connection/index.js'
import { FrameError } from '../errors.js'
import { msOption, optionsObject } from '../options.js'
import type { Address, Channel, ListenerConfig, ListenerEvents } from '../transport/contract.js'
import { AllInHand } from './all-in-hand.js'
import { type ResolvedListen, resolveListen } from './listen-options.js'
import { type Listening, startListening } from './listening.js'
import { OnceSession } from './once-session.js'
import { ServedPolicy } from './served-connection.js'
import { type Served, ServedList } from './served-list.js'
import { type ResolvedServerOptions, resolveServerOptions } from './server-options.js'
import type { SessionHost } from './session.js'
import { StreamSession } from './stream-session.js'
import { Totals } from './totals.js'
import { TURNED_AWAY_AT_A_TIME, TurnedAway } from './turned-away.js'
import type { DropInfo, ListenOptions, ServerEvents, ServerOptions, ServerStats } from './types.js'

/** Default of `close({ timeout })`, ms. */
const CLOSE_TIMEOUT_MS = 5000

type UnixAddress = Extract<Address, { readonly path: string }>
type TcpAddress = Extract<Address, { readonly port: number }>

type State = 'new' | 'starting' | 'listening' | 'closing' | 'closed'

/**
 * Takes connections on a unix socket or a TCP port. Made by {@link createServer}; it lives from `listen` to `close`,
 * once.
 */
export class Server<In = Buffer, Out = Payload> extends EventEmitter {
  readonly #options: ResolvedServerOptions
  readonly #serve: (channel: Channel) => Served
  readonly #served = new ServedList()
  readonly #turnedAway: TurnedAway
  readonly #totals = new Totals()
  #state: State = 'new'
  #starting: Promise<unknown> | undefined
  #closing: Promise<void> | undefined
  #onIdle: (() => void) | undefined
  #listening: Listening | undefined
  #referenced = true

  /** @internal */
  constructor(options: ServerOptions<In, Out>) {
    super()
    this.#options = resolveServerOptions(options)
    const { serialization, onRequest, errorReply, maxPendingRequests, exchange } = this.#options
    const host: SessionHost = {
      serialization,
      onRequest,
      errorReply,
      maxPendingRequests,
      totals: this.#totals,
      inHand: new AllInHand(this.#options.listener.memoryBudget),
      onClosed: (served) => this.#forget(served),
      onHandlerFailure: (error, served) => this.#tellFailure(error, served),
    }
    const plain = new ServedPolicy(host)
    // Only the clients of 'once' are told: for others the transport closes at accept.
    this.#turnedAway = new TurnedAway(
      host,
      exchange === 'once' ? this.#options.listener.maxConnections : Infinity,
    )
    if (exchange === 'once') this.#serve = (channel) => new OnceSession(host, channel)
    else if (onRequest !== undefined) this.#serve = (channel) => new StreamSession(host, channel)
    else this.#serve = (channel) => plain.serve(channel)
  }

  /**
   * Starts listening. A string is the path of a unix socket, a number a TCP port.
   *
   * A socket file that a killed server left behind is replaced; a live server's is not, nor anything that is no
   * socket. The file has its mode and owner before anyone can connect. A `node:cluster` worker leaves all that to the
   * primary, which shares the path between the workers.
   * @returns where it listens, with the port the system chose; what a descriptor is shows at run time only.
   * @throws what `signal` was aborted with; {TypeError} `ERR_FRAME_OPTION_INVALID`; {@link FrameError} `ERR_FRAME_ALREADY_LISTENING`, `ERR_FRAME_CLOSED`,
   * `ERR_FRAME_PATH_TOO_LONG`, `ERR_FRAME_PATH_NOT_SOCKET`, `ERR_FRAME_BACKEND_UNAVAILABLE`,
   * `ERR_FRAME_BACKEND_UNSUPPORTED`; the system's `EADDRINUSE`, `EACCES` and so on. After an error it can be tried again.
   */
  listen(path: string | Extract<ListenOptions, { readonly path: string }>): Promise<UnixAddress>
  listen(port: number | Extract<ListenOptions, { readonly port: number }>): Promise<TcpAddress>
  listen(where: string | number | ListenOptions): Promise<Address>
  async listen(where: string | number | ListenOptions): Promise<Address> {
    const listen = resolveListen(where)
    if (this.#state === 'starting' || this.#state === 'listening')
      throw new FrameError('ERR_FRAME_ALREADY_LISTENING')
    if (this.#state !== 'new') throw closedError()
    listen.signal?.throwIfAborted()
    this.#state = 'starting'
    const starting = this.#start(listen)
    this.#starting = starting.catch(() => undefined)
    try {
      await starting
    } catch (error) {
      if (this.#state === 'starting') this.#state = 'new'
      if (!listen.signal?.aborted) throw error
    }
    if (listen.signal?.aborted) {
      await this.close()
      throw listen.signal.reason
    }
    if (this.#state !== 'starting') throw closedError()
    this.#state = 'listening'
    this.#closeOnAbort(listen.signal)
    emitGuarded(this, 'listening')
    return this.#listening!.address
  }

  /** Where the server listens; null while it does not. */
  address(): Address | null {
    return this.#state === 'listening' ? this.#listening!.address : null
  }

  /** Open connections. Iterating makes the Connection objects that nobody has asked for yet. */
  get connections(): Iterable<Connection<In, Out>> & { readonly size: number } {
    const connectionCount = () => this.#connectionCount()
    const listener = this.#listening?.listener
    const served = this.#served
    const turnedAway = this.#turnedAway
    return {
      get size() {
        return connectionCount()
      },
      *[Symbol.iterator]() {
        listener?.announceAll()
        for (const one of served) {
          if (!turnedAway.has(one)) yield one.connection as unknown as Connection<In, Out>
        }
      },
    }
  }

  /** Counters since the server was made. */
  stats(): ServerStats {
    const connections = this.#connectionCount()
    const totals = this.#totals.with(this.#served)
    return {
      backend: this.#listening?.transport.name ?? null,
      connections,
      ...totals,
      // Who was accepted and has not said a word is not listed yet.
      accepted: totals.accepted + Math.max(0, connections + this.#turnedAway.size - this.#served.size),
      heldBytes: this.#state === 'closed' ? 0 : (this.#listening?.listener.heldBytes ?? 0),
    }
  }

  /**
   * Stops accepting and lets what is in flight finish: requests that were read get their replies, other connections
   * are ended from our side; whatever is still open after `timeout` whole ms (default 5,000) is closed at once. Settles when
   * the server and all its connections are closed. The socket file is removed if it still is this server's. A further call
   * waits for the first one, whose timeout stays.
   */
  async close(options?: { readonly timeout?: number }): Promise<void> {
    const timeout = msOption('timeout', optionsObject(options).timeout, CLOSE_TIMEOUT_MS, 'at once')
    this.#closing ??= this.#close(timeout)
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Lets the process live while the server listens (the default). */
  ref(): this {
    this.#referenced = true
    this.#listening?.listener.ref()
    return this
  }

  /** Lets the process end although the server listens. */
  unref(): this {
    this.#referenced = false
    this.#listening?.listener.unref()
    return this
  }

  override on<E extends keyof ServerEvents<In, Out>>(
    event: E,
    listener: (...args: ServerEvents<In, Out>[E]) => void,
  ): this {
    return super.on(event, listener)
  }

  override once<E extends keyof ServerEvents<In, Out>>(
    event: E,
    listener: (...args: ServerEvents<In, Out>[E]) => void,
  ): this {
    return super.once(event, listener)
  }

  override off<E extends keyof ServerEvents<In, Out>>(
    event: E,
    listener: (...args: ServerEvents<In, Out>[E]) => void,
  ): this {
    return super.off(event, listener)
  }

  // --- listening -------------------------------------------------------------------------------------------------

  async #start(listen: ResolvedListen): Promise<void> {
    const { backend } = this.#options
    const listening = await startListening(listen, backend, this.#listenerConfig(), this.#listenerEvents())
    this.#listening = listening
    if (!this.#referenced) listening.listener.unref()
  }

  /** A server that only answers requests is told of a connection together with its first request. */
  #listenerConfig(): ListenerConfig {
    const { exchange, onRequest, listener } = this.#options
    const answers = exchange === 'once' || onRequest !== undefined
    const watched = this.listenerCount('connection') > 0 || hasSubscribers('framewire:connection')
    const { maxConnections } = listener
    if (exchange !== 'once') return { ...listener, lazy: answers && !watched }
    // Who is over the limit is told so at once.
    const limited = maxConnections < Number.POSITIVE_INFINITY
    return {
      ...listener,
      maxConnections: maxConnections + TURNED_AWAY_AT_A_TIME,
      lazy: !watched && !limited,
    }
  }

  #listenerEvents(): ListenerEvents {
    return {
      onChannel: (channel) => this.#accept(channel),
      onDrop: (reason, count) => this.#drop({ reason, count }),
      onError: (error) => this.#tell(error, undefined),
    }
  }

  #closeOnAbort(signal: AbortSignal | undefined): void {
    if (signal === undefined) return
    const onAbort = () => {
      this.close().catch((error: Error) => this.#tell(error, undefined))
    }
    signal.addEventListener('abort', onAbort, { once: true })
    this.once('close', () => signal.removeEventListener('abort', onAbort))
  }

  // --- connections -----------------------------------------------------------------------------------------------

  #accept(channel: Channel): boolean {
    const { allowPeer } = this.#options
    if (allowPeer !== undefined && !this.#allowed(channel, allowPeer)) return false
    if (this.#turnedAway.isNeeded(this.#connectionCount(1))) {
      this.#served.add(this.#turnedAway.add(channel))
      this.#drop({ reason: 'limit', count: 1 })
      return true
    }
    const served = this.#serve(channel)
    this.#served.add(served)
    this.#totals.accepted++
    // Nothing is made here but the connection: there may be very many that do no more than be open.
    if (hasSubscribers('framewire:connection')) {
      publish('framewire:connection', () => ({ server: this, connection: served.connection }))
    }
    if (this.listenerCount('connection') > 0) this.#announce(served)
    // Accepted in the turn in which the server was closed, or put off until now.
    if (this.#state === 'closing') served.finish()
    return true
  }

  #announce({ connection }: Served): void {
    emitFor((result) => connection.serving(result), this, 'connection', connection)
  }

  #allowed(channel: Channel, allowPeer: NonNullable<ResolvedServerOptions['allowPeer']>): boolean {
    const { peer } = channel
    let allowed = false
    try {
      allowed = peer !== null && allowPeer(peer) === true
    } catch (cause) {
      // Who cannot be judged stays outside.
      this.#tell(new FrameError('ERR_FRAME_PEER_REFUSED', { message: 'allowPeer threw', cause }), undefined)
    }
    if (!allowed) this.#drop({ reason: 'peer', count: 1, peer })
    return allowed
  }

  #drop(info: DropInfo): void {
    this.#totals.dropped += info.count
    publish('framewire:drop', () => ({ server: this, ...info }))
    emitGuarded(this, 'drop', info)
  }

  #forget(served: Served): void {
    this.#served.remove(served)
    this.#turnedAway.remove(served)
    this.#totals.add(served.channel)
    if (this.#served.size === 0 && this.#onIdle !== undefined) this.#onIdle()
  }

  #tellFailure(error: Error, served: Served): void {
    publish('framewire:error', () => ({ server: this, connection: served.connection, error }))
    if (this.listenerCount('error') > 0) this.#tell(error, served.connection)
  }

  #tell(error: Error, connection: Connection<never, never> | undefined): void {
    if (this.listenerCount('error') > 0) emitGuarded(this, 'error', error, connection)
  }

  /**
   * Open connections without those that are turned away. Nobody has been told yet of those that are silent.
   * @param arriving of them that are in no list of ours yet.
   */
  #connectionCount(arriving = 0): number {
    const told = this.#served.size + arriving
    const open = this.#listening?.listener.connectionCount ?? told
    const away = this.#turnedAway.size
    // The listener may know of the close of one of them a turn before we do.
    return away + arriving === 0 ? open : Math.max(open, told) - away
  }

  // --- closing ---------------------------------------------------------------------------------------------------

  async #close(timeout: number): Promise<void> {
    const starting = this.#starting
    this.#state = 'closing'
    await starting
    try {
      await this.#listening?.close()
    } finally {
      // Who was accepted and has not said a word is there, too.
      this.#listening?.listener.announceAll()
      for (const served of this.#served) served.finish()
      await this.#allClosed(timeout)
      this.#state = 'closed'
      emitGuarded(this, 'close')
    }
  }

  #allClosed(timeout: number): Promise<void> {
    if (this.#served.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        for (const served of this.#served) served.destroy()
      }, timeout)
      this.#onIdle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

function closedError(): FrameError {
  return new FrameError('ERR_FRAME_CLOSED', {
    message: 'The server is closed; make a new one to listen again',
  })
}
