/** Where to listen, validated. Knows the shapes `Server.listen` takes, not how any of them is done. */

import { bare, countOption, hostOption, optionConflict, optionsObject, signalOption } from '../options.js'
import type { ListenTarget } from '../transport/contract.js'
import { checkPath } from '../transport/unix-address.js'
import type { ListenOptions } from './types.js'
import { checkSocketOptions, type SocketPathOptions } from './unix-path.js'

/** Default `backlog`; the system caps it at its own limit. */
const DEFAULT_BACKLOG = 4096

export interface ResolvedListen {
  readonly target: ListenTarget
  readonly socket: SocketPathOptions
  readonly signal: AbortSignal | undefined
}

/** @throws {TypeError} `ERR_FRAME_OPTION_INVALID` */
export function resolveListen(where: string | number | ListenOptions): ResolvedListen {
  if (typeof where === 'string') return resolveListen(bare({ path: where }))
  if (typeof where === 'number') return resolveListen(bare({ port: where }))
  const options = optionsObject<ListenOptions>(where, 'listen options') as Partial<
    {
      path: string
      port: number
      host: string
      fd: number
      backlog: number
      signal: AbortSignal
    } & SocketPathOptions
  >
  const { path, port, host, fd, mode, owner } = options
  if ([path, port, fd].filter((value) => value !== undefined).length !== 1) {
    throw optionConflict('listen needs exactly one of path, port and fd')
  }
  if (path === undefined && (mode !== undefined || owner !== undefined)) {
    throw optionConflict('mode and owner go with a path')
  }
  hostOption(host, port)
  const backlog = countOption('backlog', options.backlog, DEFAULT_BACKLOG, 1, 2 ** 31 - 1)
  const signal = signalOption(options.signal)
  const socket = { mode, owner }
  if (path !== undefined) {
    const target = { kind: 'path', path: checkPath(path), backlog } as const
    checkSocketOptions(socket)
    if (path.startsWith('\0') && (mode !== undefined || owner !== undefined)) {
      throw optionConflict('mode and owner go with a socket file, which an abstract name is not')
    }
    return { target, socket, signal }
  }
  if (port !== undefined) {
    return {
      target: { kind: 'port', port: countOption('port', port, 0, 0, 65535), host, backlog },
      socket,
      signal,
    }
  }
  return { target: { kind: 'fd', fd: countOption('fd', fd, 0, 0, 2 ** 31 - 1), backlog }, socket, signal }
}
