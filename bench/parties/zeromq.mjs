// ZeroMQ by its own binding, in its own protocol: a PAIR socket, a message each. An empty message is the client's
// "that was all" and is answered by an empty one.
import { Pair } from 'zeromq'
import { party, payloadOf } from './contract.mjs'

async function bind(context) {
  const socket = new Pair({ linger: 0 })
  const { path, host, port } = context.listen
  await socket.bind(path ? `ipc://${path}` : `tcp://${host}:${port}`)
  context.counts.connections++
  return socket
}

function take(counts, payload) {
  counts.frames++
  counts.payloadBytes += payload.length
}

/** The party reads on for as long as it lives. */
const forever = (work) => {
  work().catch((error) => {
    process.stderr.write(`${error.stack}\n`)
    process.exit(1)
  })
}

async function count(context) {
  const socket = await bind(context)
  forever(async () => {
    for await (const [payload] of socket) {
      if (payload.length === 0) await socket.send(payload)
      else take(context.counts, payload)
    }
  })
}

async function echo(context) {
  const socket = await bind(context)
  forever(async () => {
    for await (const [payload] of socket) {
      if (payload.length > 0) take(context.counts, payload)
      await socket.send(payload)
    }
  })
}

/** Sends once asked to by an empty message. */
async function send(context) {
  const { size, seconds, counts } = context
  const payload = payloadOf(size)
  const socket = await bind(context)
  forever(async () => {
    for await (const _ of socket) {
      const deadline = performance.now() + seconds * 1000
      while (performance.now() < deadline) {
        take(counts, payload)
        await socket.send(payload)
      }
      await socket.send('')
    }
  })
}

await party({ count, echo, send })
