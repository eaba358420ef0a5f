/** Sockets that systemd hands over: sd_listen_fds(3). Knows its two variables. */
import { UsageError } from '../exit.js'

/** The first descriptor that is handed over. */
const FIRST_FD = 3

/**
 * The socket this process was started for; undefined: none. The variables are removed, so that no child takes them for its
 * own.
 * @throws {UsageError} more than one socket was handed over.
 */
export function inheritedSocket(env: NodeJS.ProcessEnv = process.env): number | undefined {
  const { LISTEN_PID, LISTEN_FDS } = env
  if (LISTEN_FDS === undefined || Number(LISTEN_PID) !== process.pid) return undefined
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name]
  const count = Number(LISTEN_FDS)
  if (count === 0) return undefined
  if (count !== 1)
    throw new UsageError(`the service manager handed over ${LISTEN_FDS} sockets; serve takes one`)
  return FIRST_FD
}
