/**
 * A listener with everything around it: the transport that can do what is asked, and the place of a unix socket in the
 * file system. Knows how listening starts and stops, nothing of connections.
 */
import cluster from 'node:cluster'
import { FrameError } from '../errors.js'
import { type BackendName, chooseTransport } from '../transport/choose.js'
import type {
  Address,
  Listener,
  ListenerConfig,
  ListenerEvents,
  ListenTarget,
  Transport,
} from '../transport/contract.js'
import { firstAddressOf } from '../transport/names.js'
import { checkPathLength, isNamespaceName } from '../transport/unix-address.js'
import { checkDescriptor, pathOfDescriptor } from './inherited.js'
import type { ResolvedListen } from './listen-options.js'
import { SocketPath } from './unix-path.js'

export interface Listening {
  readonly transport: Transport
  readonly listener: Listener
  readonly address: Address
  /** Gives back the path, then stops accepting: nobody can take the path in between. */
  close(): Promise<void>
}

/** @throws what `Server.listen` throws; nothing is left behind then. */
export async function startListening(
  { target, socket, signal }: ResolvedListen,
  backend: BackendName,
  config: ListenerConfig,
  events: ListenerEvents,
): Promise<Listening> {
  if (config.needPeer && target.kind === 'port') throw noPeers()
  const transport = chooseTransport(backend, { tls: config.tls !== undefined, peer: config.needPeer })
  // A cluster's primary binds for its workers, who must all name the same path.
  const isShared = cluster.isWorker === true && transport.name === 'js'
  if (target.kind === 'path' && !isNamespaceName(target.path) && !isShared) {
    return listenAtPath(transport, target, socket, config, events)
  }
  if (target.kind === 'path') checkPathLength(target.path)
  if (target.kind === 'fd') checkDescriptor(target.fd)
  const listener = await transport.listen(await addressed(target, signal), config, events)
  // What a descriptor is shows only now.
  if (config.needPeer && 'port' in listener.address) {
    await listener.close()
    throw noPeers()
  }
  const address = await addressOf(target, listener)
  return { transport, listener, address, close: () => listener.close() }
}

/** Names are looked up here, where the signal ends that before anything is bound. */
async function addressed(target: ListenTarget, signal: AbortSignal | undefined): Promise<ListenTarget> {
  if (target.kind !== 'port' || target.host === undefined) return target
  return { ...target, host: await firstAddressOf(target.host, signal) }
}

function noPeers(): FrameError {
  return new FrameError('ERR_FRAME_BACKEND_UNSUPPORTED', {
    message: 'allowPeer knows peers of unix sockets only, not of TCP connections',
  })
}

async function addressOf(target: ListenTarget, { address }: Listener): Promise<Address> {
  const isUnnamed = target.kind === 'fd' && 'path' in address && address.path === ''
  return isUnnamed ? { path: await pathOfDescriptor(target.fd) } : address
}

async function listenAtPath(
  transport: Transport,
  target: ListenTarget & { readonly kind: 'path' },
  socket: ResolvedListen['socket'],
  config: ListenerConfig,
  events: ListenerEvents,
): Promise<Listening> {
  const path = await SocketPath.prepare(target.path, socket)
  let listener: Listener | undefined
  try {
    listener = await transport.listen({ ...target, path: path.bindPath }, config, events)
    await path.publish()
  } catch (error) {
    await listener?.close()
    await path.abandon()
    throw error
  }
  const listening = listener
  const close = async () => {
    try {
      await path.release()
    } finally {
      await listening.close()
    }
  }
  return { transport, listener, address: { path: target.path }, close }
}
