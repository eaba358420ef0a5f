/**
 * A socket that is bound here and accepted from elsewhere: the supervisor binds it and keeps it, its workers inherit the
 * descriptor and listen. So connections wait in the kernel while no worker is there, and are never refused.
 *
 * Node has one way to bind without accepting, the one its own node:cluster uses: `net._createServerHandle`. It is not
 * documented, so what it gives is checked.
 */
import { lookup } from 'node:dns/promises'
import * as net from 'node:net'
import { getSystemErrorName } from 'node:util'
import { SocketPath, type SocketPathOptions } from '../../server/unix-path.js'
import type { Address } from '../../transport/contract.js'
import { checkPathLength, isNamespaceName } from '../../transport/unix-address.js'

export type SocketTarget =
  | ({ readonly path: string } & SocketPathOptions)
  | { readonly port: number; readonly host?: string }
  | { readonly fd: number }

interface Handle {
  readonly fd: number
  getsockname?(out: object): number
  close(): void
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
  readonly #handle: Handle | undefined
  readonly #path: SocketPath | undefined

  private constructor(fd: number, address: SharedSocket['address'], handle?: Handle, path?: SocketPath) {
    this.fd = fd
    this.address = address
    this.#handle = handle
    this.#path = path
  }

  /**
   * Binds. Nobody can connect to a unix path before {@link publish}.
   * @throws as `Server.listen`.
   */
  static async bind(target: SocketTarget): Promise<SharedSocket> {
    if ('fd' in target) return new SharedSocket(target.fd, { fd: target.fd })
    if ('port' in target) return bindPort(target.port, target.host)
    const { path } = target
    if (isNamespaceName(path)) {
      checkPathLength(path)
      const handle = createHandle(path, -1, -1)
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

  /** To be called when no worker is left. */
  async close(): Promise<void> {
    await this.#path?.abandon()
    this.#handle?.close()
  }
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
