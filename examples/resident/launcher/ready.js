// Waiting until something listens.
import { connect, createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

const LIMIT = 15_000

/** @param {string | number} where a unix socket or a port  @param {() => string | undefined} failed why waiting is in vain */
export async function listening(where, failed = () => undefined) {
  for (const until = Date.now() + LIMIT; ; await delay(20)) {
    if (await connects(where)) return
    const reason = failed() ?? (Date.now() > until ? 'nothing listens there' : undefined)
    if (reason) throw new Error(`${where}: ${reason}`)
  }
}

const connects = (where) =>
  new Promise((resolve) => {
    const socket = typeof where === 'number' ? connect(where, '127.0.0.1') : connect(where)
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })

/** A port nobody listens on now. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}
