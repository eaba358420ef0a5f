// Unframed node:net: the baseline. It counts bytes and echoes chunks; it finds no frames. Variants: 'onread'
// (one buffer for every read), 'corked' (writes held back and given to the kernel together).
import { Socket } from 'node:net'
import { frameOf, OK_REPLY, party, payloadOf, pump } from './contract.mjs'
import { listen } from './net-server.mjs'

function count(context) {
  const { counts } = context
  counts.frames = null
  if (context.variant !== 'onread') {
    return listen(context, (socket) => socket.on('data', (chunk) => (counts.bytes += chunk.length)))
  }
  // Node offers `onread` to clients only; a server reaches it by giving the accepted handle to a new Socket.
  const onread = {
    buffer: Buffer.allocUnsafeSlow(64 * 1024),
    callback: (n) => {
      counts.bytes += n
      return true
    },
  }
  return listen(
    context,
    (accepted) => {
      const handle = accepted._handle
      accepted._handle = null
      const socket = new Socket({ handle, onread })
      socket.on('end', () => socket.end()).on('error', () => counts.errors++)
      socket.read(0)
    },
    { pauseOnConnect: true },
  )
}

function echo(context) {
  const { counts } = context
  counts.frames = null
  return listen(context, (socket) => {
    socket.on('data', (chunk) => {
      counts.bytes += chunk.length
      if (!socket.write(chunk)) socket.pause()
    })
    socket.on('drain', () => socket.resume())
  })
}

/** The frame is built once: what is measured is writing, not framing. */
function send(context) {
  const { size, seconds, counts, variant } = context
  const frame = frameOf(payloadOf(size))
  const corked = variant === 'corked'
  return listen(context, (socket) => {
    socket.resume()
    pump({
      size,
      seconds,
      counts,
      write: () => {
        if (corked && socket.writableCorked === 0) socket.cork()
        return socket.write(frame)
      },
      pause: () => socket.uncork(),
      drain: (run) => socket.once('drain', run),
      done: () => socket.end(),
    })
  })
}

/** One frame in, one out, close; header and body have a second each, by the socket's own timer. */
function exchange(context) {
  const { counts } = context
  const whole = frameOf(Buffer.from(OK_REPLY))
  const noHeader = frameOf(Buffer.from('{"res":"fail","msg":"长度有误"}'))
  const noBody = frameOf(Buffer.from('{"res":"fail","msg":"长度不相等"}'))
  return listen(
    context,
    (socket) => {
      let held = null
      let need = -1
      const refuse = () => socket.end(need < 0 ? noHeader : noBody)
      socket.setTimeout(1000, refuse)
      socket.on('end', refuse)
      socket.on('data', (chunk) => {
        held = held ? Buffer.concat([held, chunk]) : chunk
        if (need < 0 && held.length >= 4) {
          need = 4 + held.readUInt32BE(0)
          socket.setTimeout(1000)
        }
        if (need < 0 || held.length < need) return
        counts.frames++
        counts.payloadBytes += need - 4
        socket.setTimeout(0)
        socket.removeListener('end', refuse)
        socket.end(whole)
      })
    },
    { allowHalfOpen: true },
  )
}

await party({ count, echo, send, exchange })
