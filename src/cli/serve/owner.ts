/** `--owner user:group` as numbers. Knows /etc/passwd and /etc/group, no directory services: there, give numbers. */
import { readFileSync } from 'node:fs'
import type { SocketOwner } from '../../server/index.js'
import { UsageError } from '../exit.js'

export function parseOwner(text: string | undefined): SocketOwner | undefined {
  if (text === undefined) return undefined
  const [user, group, ...more] = text.split(':')
  if (more.length > 0 || text === '' || text === ':')
    throw new UsageError(`--owner is user, user:group or :group, not '${text}'`)
  return {
    ...(user === '' ? {} : { uid: idOf(user, '/etc/passwd') }),
    ...(group === undefined || group === '' ? {} : { gid: idOf(group, '/etc/group') }),
  }
}

function idOf(name: string, file: string): number {
  if (/^\d+$/.test(name)) return Number(name)
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [entry, , id] = line.split(':')
    if (entry === name) return Number(id)
  }
  throw new UsageError(`--owner: there is no ${name} in ${file}`)
}
