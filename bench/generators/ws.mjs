// The client of `ws` as generator for its own server.
import { WebSocket } from 'ws'
import { generate } from './engine.mjs'

function open(target) {
  const url = target.path ? `ws+unix:${target.path}:/` : `ws://${target.host}:${target.port}/`
  const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: 32 * 1024 * 1024 })
  let onMessage = () => {}
  socket.on('message', (payload) => onMessage(payload))
  const closed = new Promise((resolve) => socket.once('close', resolve))
  const connection = {
    ended: closed,
    send: (payload) => {
      socket.send(payload)
      return !socket._socket.writableNeedDrain
    },
    start: () => socket.send('begin'),
    onDrain: (f) => socket._socket.once('drain', f),
    onMessage: (f) => {
      onMessage = f
    },
    finish: () => {
      socket.close()
      return closed
    },
  }
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(connection)).once('error', reject)
  })
}

await generate({ connect: open })
