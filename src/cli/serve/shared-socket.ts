/**
 * A socket that is bound here and accepted from elsewhere: the supervisor binds it and keeps it, its workers inherit the
 * descriptor and listen. So connections wait in the kernel while no worker is there, and are never refused.
 *
 * Node has one way to bind without accepting, the one its own node:cluster uses: `net._createServerHandle`. It is not
 * documented, so what it gives is checked. Abstract names are the transport's to bind where it can: to Node they are not
 * always what they are to others.
 */
import { lookup } from 'node:dns/promises'
import { closeSync } from 'node:fs'
import * as net from 'node:net'
import { getSystemErrorName } from 'node:util'
import { SocketPath, type SocketPathOptions } from '../../server/unix-path.js'
import { type BackendName, chooseTransport } from '../../transport/choose.js'
import type { Address } from '../../transport/contract.js'
import { AbstractNames } from '../../transport/js/abstract-name.js'
import { checkPathLength, isNamespaceName } from '../../transport/unix-address.js'

/** Until the workers listen, each with the backlog that was asked for. */
const FIRST_BACKLOG = 4096

export type SocketTarget =
  | ({ readonly path: string } & SocketPathOptions)
  | { readonly port: number; readonly host?: string }
  | { readonly fd: number }

interface Held {
  readonly fd: number
  close(): void
}

interface Handle extends Held {
  getsockname?(out: object): number
}

type CreateHandle = (
  address: string,
  port: number,
  addressType: number,
  fd?: number,
  flags?: number,
) => Handle | number

export class SharedSocket {
  readonly fd: number
  readonly address: Address | { readonly fd: number }
  // Referenced from here, or the descriptor would be closed when the handle is collected.
  readonly #handle: Held | undefined
  readonly #path: SocketPath | undefined

  private constructor(fd: number, address: SharedSocket['address'], handle?: Held, path?: SocketPath) {
    this.fd = fd
    this.address = address
    this.#handle = handle
    this.#path = path
  }

  /**
   * Binds. Nobody can connect to a unix path before {@link publish}.
   * @param backend what the workers are told to use.
   * @throws as `Server.listen`.
   */
  static async bind(target: SocketTarget, backend: BackendName | undefined): Promise<SharedSocket> {
    if ('fd' in target) return new SharedSocket(target.fd, { fd: target.fd })
    if ('port' in target) return bindPort(target.port, target.host)
    const { path } = target
    if (isNamespaceName(path)) {
      checkPathLength(path)
      const handle = await bindName(path, backend)
      return new SharedSocket(handle.fd, { path }, handle)
    }
    const place = await SocketPath.prepare(path, target)
    try {
      const handle = createHandle(place.bindPath, -1, -1)
      return new SharedSocket(handle.fd, { path }, handle, place)
    } catch (error) {
      await place.abandon()
      throw error
    }

    async function bindPort(port: number, host: string | undefined): Promise<SharedSocket> {
      const handle = await bindTcp(port, host)
      const name = { address: '', port: 0, family: 'IPv4' as 'IPv4' | 'IPv6' }
      handle.getsockname?.(name)
      if (name.port === 0) {
        // libuv keeps this error for listen(2), which would take another port.
        handle.close()
        throw listenError('EADDRINUSE', `${host ?? ''}:${port}`)
      }
      return new SharedSocket(handle.fd, { host: name.address, port: name.port, family: name.family }, handle)
    }
  }

  /** Gives a unix socket its path, mode and owner. A worker must listen by then. */
  async publish(): Promise<void> {
    await this.#path?.publish()
  }

  /** Takes the path back; workers still listen. */
  async unpublish(): Promise<void> {
    await this.#path?.release()
  }

  /** Gives up what was bound here; to be called when no further worker is started. Those that run have it still. */
  async close(): Promise<void> {
    await this.#path?.abandon()
    this.#handle?.close()
  }
}

async function bindName(name: string, backend: BackendName | undefined): Promise<Held> {
  const transport = chooseTransport(backend)
  if (transport.holdPath !== undefined) {
    const fd = transport.holdPath(name, FIRST_BACKLOG)
    return { fd, close: () => closeSync(fd) }
  }
  await new AbstractNames().refusePadded(name)
  return createHandle(name, -1, -1)
}

async function bindTcp(port: number, host: string | undefined): Promise<Handle> {
  if (host !== undefined) {
    const { address, family } = await lookup(host)
    return createHandle(address, port, family)
  }
  try {
    return createHandle('::', port, 6)
  } catch (error) {
    // A machine without IPv6.
    if (!['EAFNOSUPPORT', 'EINVAL', 'EADDRNOTAVAIL'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw error
    return createHandle('0.0.0.0', port, 4)
  }
}

function createHandle(address: string, port: number, type: number): Handle {
  const { _createServerHandle: create } = net as unknown as { _createServerHandle?: CreateHandle }
  if (typeof create !== 'function')
    throw new Error('several workers need Node.js: this runtime cannot share a socket')
  const handle = create(address, port, type, undefined, 0)
  if (typeof handle === 'number')
    throw listenError(getSystemErrorName(handle), port < 0 ? address : `${address}:${port}`)
  if (typeof handle.fd === 'number' && handle.fd >= 0) return handle
  handle.close()
  throw new Error('several workers need a system that shares sockets by descriptor')
}

function listenError(code: string, address: string): Error {
  return Object.assign(new Error(`listen ${code}: ${address}`), { code, syscall: 'listen', address })
}
