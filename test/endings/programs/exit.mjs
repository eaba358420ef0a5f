// Calls `process.exit(0)` inside a callback of the package, with a frame behind it that waits and a reply that is queued.
import { createServer, request } from 'framewire'

const { backend, callback, path } = JSON.parse(process.argv[2])
const end = () => process.exit(0)

const ON_CONNECTION = {
  connection: () => end(),
  frame: (connection) =>
    connection.on('frame', (payload) => {
      connection.send(payload)
      end()
    }),
  batch: (connection) =>
    connection.onBatch((batch) => {
      connection.sendFrom(batch, 0)
      end()
    }),
  iterator: async (connection) => {
    for await (const payload of connection) {
      connection.send(payload)
      end()
    }
  },
  written: (connection) => connection.on('frame', (payload) => connection.sendAsync(payload).then(end)),
  error: (connection) => connection.on('frame', () => {}).on('error', end),
  close: (connection) => connection.on('frame', () => connection.destroy()).on('close', end),
}

const OPTIONS = {
  request: {
    onRequest: (payload, ctx) => {
      if (String(payload) === 'second') end()
      ctx.connection.stats()
      return payload
    },
  },
  once: { exchange: 'once', onRequest: end },
  reply: { onRequest: (payload) => payload },
}

const server = createServer(
  { backend, ...(OPTIONS[callback] ?? {}) },
  callback in OPTIONS ? undefined : ON_CONNECTION[callback],
)
await server.listen(path)
// A client's callback, with the server of the same process behind it.
if (callback === 'reply') await request({ backend, path }, 'x').then(end)
process.send('ready')
