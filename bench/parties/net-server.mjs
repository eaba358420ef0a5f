// A node:net server that listens and counts connections; what it does with a socket is the caller's.
import { unlinkSync } from 'node:fs'
import { createServer } from 'node:net'

export function listen({ listen: at, counts }, onSocket, options = {}) {
  const server = createServer({ noDelay: true, ...options }, (socket) => {
    counts.connections++
    counts.open++
    socket.on('close', () => counts.open--)
    // A reset by a generator that gave up must not end the party; the generator reports it.
    socket.on('error', () => counts.errors++)
    onSocket(socket)
  })
  if (at.path) {
    try {
      unlinkSync(at.path)
    } catch (error) {
      if (error.code !== 'ENOENT') throw error
    }
  }
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ ...at, backlog: 1024 }, () => resolve(server))
  })
}
