// A server in a process of its own: `node parties.mjs WORK PARTY SOCKET`. Says 'ready' once it listens; every message is
// answered with what was counted since the last one, and the processor time that took. Every party does the same work for the same bytes.
import net from 'node:net'
import { createServer } from 'framewire'

const REPLY = '{"res":"ok","msg":"长度相同"}'
const counted = { frames: 0, bytes: 0 }
let cpu = process.cpuUsage()

/** What everyone writes first: add the chunk to what is left, cut whole frames off. */
function concatDecoder(onFrame) {
  let held = Buffer.alloc(0)
  return (chunk) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    let at = 0
    while (held.length - at >= 4) {
      const end = at + 4 + held.readUInt32BE(at)
      if (end > held.length) break
      onFrame(held.subarray(at + 4, end))
      at = end
    }
    held = held.subarray(at)
  }
}

const count = (payload) => {
  counted.frames++
  counted.bytes += payload.length
}

function answerOnce(socket) {
  socket.setTimeout(1000, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  socket.on(
    'data',
    concatDecoder((payload) => {
      count(payload)
      const reply = Buffer.from(REPLY)
      const frame = Buffer.allocUnsafe(4 + reply.length)
      frame.writeUInt32BE(reply.length)
      reply.copy(frame, 4)
      socket.end(frame)
    }),
  )
}

const PARTIES = {
  exchange: {
    net: () => net.createServer(answerOnce),
    framewire: () =>
      createServer({
        exchange: 'once',
        onRequest(payload) {
          count(payload)
          return REPLY
        },
      }),
  },
  stream: {
    unframed: () =>
      net.createServer((socket) => {
        socket.on('data', (chunk) => {
          counted.bytes += chunk.length
        })
      }),
    concat: () => net.createServer((socket) => socket.on('data', concatDecoder(count))),
    framewire: () =>
      createServer({}, (connection) => {
        connection.onBatch((batch) => {
          counted.frames += batch.length
          for (let i = 0; i < batch.length; i++) counted.bytes += batch.end(i) - batch.start(i)
        })
      }),
  },
}

const [work, party, path] = process.argv.slice(2)
const server = PARTIES[work][party]()
await (party === 'framewire' ? server.listen(path) : new Promise((resolve) => server.listen(path, resolve)))

process.on('message', () => {
  const { user, system } = process.cpuUsage(cpu)
  process.send({ ...counted, cpuSeconds: (user + system) / 1e6 })
  cpu = process.cpuUsage()
  counted.frames = 0
  counted.bytes = 0
})
process.on('disconnect', () => process.exit())
process.send('ready')
