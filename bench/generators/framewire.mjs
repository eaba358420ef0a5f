// The package's own client as generator, for machines without a C compiler. Partial frames are written by node:net.
import { connect as connectSocket } from 'node:net'
import { connect, request } from '../../dist/esm/index.js'
import { frameOf } from '../parties/contract.mjs'
import { generate } from './engine.mjs'

const options = { maxFrameLength: 64 * 1024 * 1024 }

function adapt(connection) {
  let onMessage = () => {}
  connection.onBatch((batch) => {
    for (let i = 0; i < batch.length; i++) onMessage(batch.bytes.subarray(batch.start(i), batch.end(i)))
  })
  const closed = new Promise((resolve) => connection.once('close', resolve))
  return {
    ended: closed,
    send: (payload) => connection.send(payload),
    onDrain: (f) => connection.once('drain', f),
    onMessage: (f) => {
      onMessage = f
    },
    finish: () => {
      connection.end()
      return closed
    },
  }
}

/** A full backlog only means that the server has not accepted yet; the C generator's connect waits there too. */
async function openSocket(target) {
  for (;;) {
    const socket = connectSocket(target)
    const error = await new Promise((resolve) => socket.once('connect', resolve).once('error', resolve))
    if (!error) return socket
    if (error.code !== 'EAGAIN') throw error
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

async function holdHalf(target, payload, count) {
  const frame = frameOf(payload)
  const half = (frame.length / 2 + 2) | 0
  const sockets = []
  for (let i = 0; i < count; i++) {
    const socket = await openSocket(target)
    socket.write(frame.subarray(0, half))
    sockets.push(socket)
  }
  const finishOne = (socket) =>
    new Promise((resolve) => {
      socket.once('close', resolve).resume()
      socket.end(frame.subarray(half))
    })
  return { finish: () => Promise.all(sockets.map(finishOne)) }
}

await generate({
  headerBytes: 4,
  connect: async (target) => adapt(await connect({ ...target, ...options })),
  request: (target, payload) => request({ ...target, ...options }, payload),
  holdHalf,
})
