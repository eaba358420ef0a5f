/** Where to listen, validated. Knows the shapes `Server.listen` takes, not how any of them is done. */

import { optionError } from '../errors.js'
import { countOption, optionConflict, optionsObject, signalOption } from '../options.js'
import type { ListenTarget } from '../transport/contract.js'
import type { ListenOptions } from './types.js'
import type { SocketPathOptions } from './unix-path.js'

/** Default `backlog`; the system caps it at its own limit. */
const DEFAULT_BACKLOG = 4096

export interface ResolvedListen {
  readonly target: ListenTarget
  readonly socket: SocketPathOptions
  readonly signal: AbortSignal | undefined
}

/** @throws {TypeError} `ERR_FRAME_OPTION_INVALID` */
export function resolveListen(where: string | number | ListenOptions): ResolvedListen {
  if (typeof where === 'string') return resolveListen({ path: where })
  if (typeof where === 'number') return resolveListen({ port: where })
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
  const backlog = countOption('backlog', options.backlog, DEFAULT_BACKLOG, 1, 2 ** 31 - 1)
  const signal = signalOption(options.signal)
  const socket = { mode, owner }
  if (path !== undefined) return { target: { kind: 'path', path: checkPath(path), backlog }, socket, signal }
  if (host !== undefined && typeof host !== 'string') throw optionError('host', 'a string', host)
  if (port !== undefined) {
    return {
      target: { kind: 'port', port: countOption('port', port, 0, 0, 65535), host, backlog },
      socket,
      signal,
    }
  }
  return { target: { kind: 'fd', fd: countOption('fd', fd, 0, 0, 2 ** 31 - 1), backlog }, socket, signal }
}

function checkPath(path: unknown): string {
  // A NUL is right only in front, where it makes the name abstract.
  if (typeof path === 'string' && path.length > 0 && path.indexOf('\0', 1) < 0) return path
  throw optionError('path', 'a path, or an abstract name that starts with a NUL', path)
}
