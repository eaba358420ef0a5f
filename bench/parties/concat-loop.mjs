// The decoder everyone writes first: join what is left with what came, cut frames off the front.
import { frameOf, party, payloadOf, pump } from './contract.mjs'
import { listen } from './net-server.mjs'

function decoder(onFrame) {
  let held = Buffer.alloc(0)
  return (chunk) => {
    held = Buffer.concat([held, chunk])
    let at = 0
    while (held.length - at >= 4) {
      const size = held.readUInt32BE(at)
      if (held.length - at - 4 < size) break
      onFrame(held.subarray(at + 4, at + 4 + size))
      at += 4 + size
    }
    held = held.subarray(at)
  }
}

function count(context) {
  const { counts } = context
  return listen(context, (socket) => {
    const push = decoder((payload) => {
      counts.frames++
      counts.payloadBytes += payload.length
    })
    socket.on('data', push)
  })
}

function echo(context) {
  const { counts } = context
  return listen(context, (socket) => {
    const push = decoder((payload) => {
      counts.frames++
      counts.payloadBytes += payload.length
      const header = Buffer.alloc(4)
      header.writeUInt32BE(payload.length)
      socket.write(header)
      if (!socket.write(payload)) socket.pause()
    })
    socket.on('data', push)
    socket.on('drain', () => socket.resume())
  })
}

function send(context) {
  const { size, seconds, counts } = context
  const payload = payloadOf(size)
  return listen(context, (socket) => {
    socket.resume()
    const write = () => socket.write(frameOf(payload))
    const drain = (run) => socket.once('drain', run)
    pump({ size, seconds, counts, write, drain, done: () => socket.end() })
  })
}

await party({ count, echo, send })
