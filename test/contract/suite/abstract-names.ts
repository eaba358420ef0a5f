/** Abstract socket names as the kernel knows them, and what node:net makes of them. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'

/** Every name a socket of this machine is bound to; NULs are shown as `@`. */
export function boundNames(): string[] {
  return readFileSync('/proc/net/unix', 'latin1')
    .split('\n')
    .map((line) => line.split(' ').at(-1) ?? '')
}

/** node:net binds another name than it is given: the same with NULs up to the end of the address. */
export async function netFillsNames(): Promise<boolean> {
  const name = `framewire-${randomUUID()}`
  const server = createServer().listen(`\0${name}`)
  await once(server, 'listening')
  const isExact = boundNames().includes(`@${name}`)
  server.close()
  await once(server, 'close')
  return !isExact
}
