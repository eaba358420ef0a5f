// WebSocket by `ws`, in its own protocol, without compression.
import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import { party, payloadOf, pump } from './contract.mjs'

function listen(context, onSocket) {
  const { counts } = context
  const server = createServer()
  const sockets = new WebSocketServer({ server, perMessageDeflate: false, maxPayload: 32 * 1024 * 1024 })
  sockets.on('connection', (socket) => {
    counts.connections++
    counts.open++
    socket.on('close', () => counts.open--)
    socket.on('error', () => counts.errors++)
    onSocket(socket)
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ ...context.listen, backlog: 1024 }, resolve)
  })
}

const take = (counts, payload) => {
  counts.frames++
  counts.payloadBytes += payload.length
}

const count = (context) =>
  listen(context, (socket) => socket.on('message', (payload) => take(context.counts, payload)))

const echo = (context) =>
  listen(context, (socket) => {
    socket.on('message', (payload) => {
      take(context.counts, payload)
      socket.send(payload)
    })
  })

/** Begins at the client's first message: one that comes with the handshake's end could be missed by a listener. */
const send = (context) =>
  listen(context, (socket) => {
    const { size, seconds, counts } = context
    const payload = payloadOf(size)
    const write = () => {
      socket.send(payload)
      return !socket._socket.writableNeedDrain
    }
    const drain = (run) => socket._socket.once('drain', run)
    const begin = () => pump({ size, seconds, counts, write, drain, done: () => socket.close() })
    socket.once('message', begin)
  })

await party({ count, echo, send })
