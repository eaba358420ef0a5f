/** Connecting with node:net or node:tls. Knows how a connection is made, not what goes over it. */
import { connect as connectNet, type NetConnectOpts, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Channel, ConnectConfig, ConnectTarget } from '../contract.js'
import type { Hub } from './hub.js'
import { NetChannel } from './net-channel.js'

/** Rejects with the system's error, or with the signal's reason; leaves nothing behind then. */
export function connect(
  hub: Hub,
  target: ConnectTarget,
  config: ConnectConfig,
  signal: AbortSignal | undefined,
): Promise<Channel> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const socket = open(target, config)
    const settle = () => {
      socket.off('error', onError)
      signal?.removeEventListener('abort', onAbort)
    }
    const onError = (error: Error) => {
      settle()
      reject(ofOneAddress(error))
    }
    const onAbort = () => {
      settle()
      // A failure that comes while it closes is nobody's any more.
      socket.on('error', () => {})
      socket.destroy()
      reject(signal?.reason)
    }
    socket.once('error', onError)
    signal?.addEventListener('abort', onAbort, { once: true })
    socket.once(config.tls === undefined ? 'connect' : 'secureConnect', () => {
      settle()
      resolve(new NetChannel(socket, hub, config))
    })
  })
}

function open(target: ConnectTarget, config: ConnectConfig): Socket {
  const { noDelay, keepAlive, tls } = config
  const options = { allowHalfOpen: true, noDelay, keepAlive }
  const where = target.kind === 'path' ? { path: target.path } : { port: target.port, host: target.host }
  if (tls !== undefined) return connectTls({ ...tls, ...where, ...options })
  return connectNet({ ...where, ...options } as NetConnectOpts)
}

/**
 * Where a name has several addresses and none of them answers node:net says so without a text: what the last one said, which
 * has `syscall`, `address` and `port`, is what counts.
 */
function ofOneAddress(error: Error): Error {
  return error instanceof AggregateError && error.errors.length > 0 ? error.errors.at(-1) : error
}
