/** JsListener: a server of node:net or node:tls whose connections become channels. Knows accepting, not frames. */
import { type AddressInfo, createServer, type ListenOptions, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { FrameError } from '../../errors.js'
import type { Address, Listener, ListenerConfig, ListenerEvents, ListenTarget } from '../contract.js'
import type { Hub } from './hub.js'
import { LastDescriptors } from './last-descriptors.js'
import { NetChannel } from './net-channel.js'

/** How long a TLS handshake may take where no deadline says otherwise, ms. */
const HANDSHAKE_MS = 10_000

/** Opens a listener; rejects with the system's error. */
export async function listen(
  hub: Hub,
  target: ListenTarget,
  config: ListenerConfig,
  events: ListenerEvents,
): Promise<Listener> {
  if (config.needPeer) {
    throw new FrameError('ERR_FRAME_BACKEND_UNSUPPORTED', {
      message: 'allowPeer needs peer credentials, which the js backend cannot read',
    })
  }
  const listener = new JsListener(hub, target, config, events)
  await listener.open()
  return listener
}

class JsListener implements Listener {
  connectionCount = 0
  readonly #hub: Hub
  readonly #target: ListenTarget
  readonly #config: ListenerConfig
  readonly #events: ListenerEvents
  readonly #server: Server
  /** Open sockets nobody has been told of: their TLS handshake is under way, or they are turned away. */
  readonly #untold = new Set<Socket>()
  readonly #lastDescriptors = new LastDescriptors()
  #address: Address | undefined

  constructor(hub: Hub, target: ListenTarget, config: ListenerConfig, events: ListenerEvents) {
    this.#hub = hub
    this.#target = target
    this.#config = config
    this.#events = events
    this.#server = this.#createServer()
    if (config.maxConnections < 2 ** 31) this.#server.maxConnections = config.maxConnections
    this.#server.on('connection', (socket: Socket) => this.#count(socket))
    this.#server.on('drop', () => events.onDrop('limit', 1))
  }

  get address(): Address {
    return this.#address as Address
  }

  get heldBytes(): number {
    return this.#hub.budgetOf(this.#config).held
  }

  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(listenOptions(this.#target), () => {
        this.#server.off('error', reject)
        this.#server.on('error', (error) => this.#onError(error))
        this.#address = addressOf(this.#target, this.#server.address())
        // Behind TLS nobody asks for them.
        if (this.#config.tls === undefined) this.#lastDescriptors.watch()
        resolve()
      })
    })
  }

  /** Each is told of when it comes. */
  announceAll(): void {}

  close(): Promise<void> {
    this.#lastDescriptors.stop()
    // node:net calls back when the connections are gone too; the descriptor is closed before the next turn.
    this.#server.close()
    const closed = [new Promise((resolve) => setImmediate(resolve))]
    // They have said nothing yet, and would come when nobody serves them any more. Nobody else waits for their end.
    for (const socket of this.#untold) {
      closed.push(new Promise((resolve) => socket.once('close', resolve)))
      socket.destroy()
    }
    return Promise.all(closed).then(() => {})
  }

  ref(): void {
    this.#server.ref()
  }

  unref(): void {
    this.#server.unref()
  }

  #createServer(): Server {
    const { tls, noDelay, keepAlive } = this.#config
    const options = { noDelay, keepAlive }
    if (tls === undefined)
      return createServer({ ...options, allowHalfOpen: true }, (socket) => this.#onPlain(socket))
    const handshakeTimeout = handshakeMs(this.#config)
    const server = createTlsServer({ handshakeTimeout, ...tls, ...options }, (socket) =>
      this.#onSecure(socket),
    )
    server.on('connection', (socket: Socket) => this.#untold.add(socket))
    server.on('tlsClientError', (error, socket) => {
      this.#events.onError(error)
      // Node leaves it open.
      socket.destroy()
    })
    return server
  }

  /** From accept on, a TLS handshake included. */
  #count(socket: Socket): void {
    this.connectionCount++
    socket.once('close', () => {
      this.connectionCount--
      this.#untold.delete(socket)
    })
  }

  #onSecure(socket: TLSSocket): void {
    if (!this.#server.listening) {
      socket.destroy()
      return
    }
    const raw = (socket as { _parent?: Socket })._parent
    if (raw !== undefined) this.#untold.delete(raw)
    // A runtime that does not say whose handshake it was: then none is cut short.
    else this.#untold.clear()
    // Only from here on: whoever ends in the middle of the handshake is gone.
    socket.allowHalfOpen = true
    this.#onSocket(socket)
  }

  /** Behind the last descriptors there are none for anybody: that socket goes, and its descriptor tells the next one. */
  #onPlain(socket: Socket): void {
    // Up to Node 20 a limit of 0 is none.
    if (this.#config.maxConnections === 0) this.#turnAway(socket, 'limit')
    else if (this.#lastDescriptors.include(socket)) this.#turnAway(socket, 'descriptors')
    else this.#onSocket(socket)
  }

  #turnAway(socket: Socket, reason: 'limit' | 'descriptors'): void {
    this.#untold.add(socket)
    socket.destroy()
    this.#events.onDrop(reason, 1)
  }

  #onSocket(socket: Socket): void {
    const channel = new NetChannel(socket, this.#hub, this.#config)
    if (!this.#events.onChannel(channel)) channel.destroy()
  }

  #onError(error: NodeJS.ErrnoException): void {
    if (error.code === 'EMFILE' || error.code === 'ENFILE') this.#events.onDrop('descriptors', 1)
    else this.#events.onError(error)
  }
}

function listenOptions(target: ListenTarget): ListenOptions & { fd?: number } {
  const { backlog } = target
  switch (target.kind) {
    case 'path':
      return { path: target.path, backlog }
    case 'port':
      return { port: target.port, host: target.host, backlog }
    case 'fd':
      return { fd: target.fd, backlog }
  }
}

function addressOf(target: ListenTarget, address: AddressInfo | string | null): Address {
  if (typeof address === 'string') return { path: address }
  if (address !== null && typeof address.port === 'number') {
    const { address: host, port, family } = address
    return { host, port, family: family === 'IPv6' ? 'IPv6' : 'IPv4' }
  }
  return { path: target.kind === 'path' ? target.path : '' }
}

/** A peer that may not keep its first frame waiting may not do so in front of it either. */
function handshakeMs({ firstByteTimeout, headerTimeout }: ListenerConfig): number {
  const set = [firstByteTimeout, headerTimeout].filter((ms) => ms > 0)
  return set.length === 0 ? HANDSHAKE_MS : Math.min(...set)
}
