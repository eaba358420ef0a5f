/** A listening descriptor that somebody else opened: whether it is one, and where it is bound. Knows no transports. */
import { type BigIntStats, fstatSync } from 'node:fs'
import { lstat, readFile } from 'node:fs/promises'
import { systemError } from './system-error.js'

/** @throws the system's `EBADF`, `ENOTSOCK`, whatever the backend would make of it. */
export function checkDescriptor(fd: number): void {
  if (process.platform === 'win32') return
  let stat: BigIntStats | undefined
  try {
    stat = fstatSync(fd, { bigint: true })
  } catch {
    throw systemError('EBADF', `fd ${fd}`)
  }
  if (!stat.isSocket()) throw systemError('ENOTSOCK', `fd ${fd}`)
}

/**
 * Path of the unix socket `fd`, where Linux tells; '' where it is not known. Only a path that still leads to a socket
 * counts: ours are bound under a private name, which is gone by then.
 */
export async function pathOfDescriptor(fd: number): Promise<string> {
  if (process.platform !== 'linux') return ''
  try {
    const { ino } = fstatSync(fd)
    for (const line of (await readFile('/proc/self/net/unix', 'utf8')).split('\n')) {
      // Num RefCount Protocol Flags Type St Inode Path
      const [, inode, path] = /^(?:\S+ +){6}(\d+) (.+)$/.exec(line) ?? []
      if (Number(inode) !== ino) continue
      if (path.startsWith('@')) return `\0${path.slice(1)}`
      return path.startsWith('/') && (await lstat(path)).isSocket() ? path : ''
    }
  } catch {
    // No /proc, or nothing there any more.
  }
  return ''
}
