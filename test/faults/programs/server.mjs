// A server in a process of its own, so that what it costs can be measured and what happens to it hurts nobody else.
// Echoes frames, in the way `consumer` names, and answers questions of the process that started it.
import { closeSync, openSync, readdirSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createServer } from 'framewire'

const { path, backend, options, consumer = 'frame' } = JSON.parse(process.argv[2])

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')

const dropped = {}
let open = 0
const consumers = {
  frame: (connection) => connection.on('frame', (payload) => connection.send(payload)),
  // Closures of its own for every connection, as most programs have.
  events: (connection) => {
    open++
    connection.on('frame', (payload) => connection.send(payload))
    connection.on('error', (error) => console.error(connection.id, error))
    connection.on('close', () => {
      open--
    })
  },
  loop: async (connection) => {
    for await (const payload of connection) connection.send(payload)
  },
}
const server = createServer({ backend, ...options }, consumers[consumer])
server.on('drop', ({ reason, count }) => {
  dropped[reason] = (dropped[reason] ?? 0) + count
})

const files = []

const questions = {
  // Opens files until no descriptor is left, or closes them again.
  fill: () => {
    try {
      for (;;) files.push(openSync('/dev/null'))
    } catch {
      return files.length
    }
  },
  empty: () => files.splice(0).forEach((file) => void closeSync(file)),
  memory: () => {
    collect()
    const { rss, heapUsed } = process.memoryUsage()
    return { rss, heapUsed, stats: server.stats(), dropped, open }
  },
  // Opens nothing, not even /proc: there may be no descriptor left.
  stats: () => ({ stats: server.stats(), dropped }),
  descriptors: () => readdirSync('/proc/self/fd').length,
  cpu: () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1000
  },
}

process.on('message', ({ id, question, value }) => process.send({ id, value: questions[question](value) }))
process.on('disconnect', () => process.exit())
await server.listen(path)
process.send({ id: 0 })
