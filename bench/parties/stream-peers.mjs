// The framing packages of npm that sit on a stream, each used as its README says. The variant names the package.
import frameStream from 'frame-stream'
import FramedStream from 'framed-stream'
import * as itLengthPrefixed from 'it-length-prefixed'
import lengthPrefixed from 'length-prefixed-stream'
import { party, payloadOf, pump } from './contract.mjs'
import { listen } from './net-server.mjs'

/** `open(socket, onPayload)` decodes and returns the object that is written to. */
const peers = {
  'frame-stream': {
    open(socket, onPayload) {
      socket.pipe(frameStream.decode()).on('data', onPayload)
      const out = frameStream.encode()
      out.pipe(socket)
      return out
    },
  },
  'length-prefixed-stream': {
    open(socket, onPayload) {
      socket.pipe(lengthPrefixed.decode()).on('data', onPayload)
      const out = lengthPrefixed.encode()
      out.pipe(socket)
      return out
    },
  },
  'framed-stream': {
    open(socket, onPayload) {
      const framed = new FramedStream(socket)
      framed.on('data', onPayload)
      framed.on('end', () => framed.end())
      return framed
    },
  },
  'it-length-prefixed': {
    open(socket, onPayload) {
      const read = async () => {
        for await (const payload of itLengthPrefixed.decode(socket)) onPayload(payload.subarray())
      }
      read().catch((error) => socket.destroy(error))
      return {
        write: (payload) => socket.write(itLengthPrefixed.encode.single(payload).subarray()),
        once: (event, listener) => socket.once(event, listener),
        end: () => socket.end(),
        pipesNothing: true,
      }
    },
  },
}

function count(context) {
  const { counts, variant } = context
  return listen(context, (socket) => {
    peers[variant].open(socket, (payload) => {
      counts.frames++
      counts.payloadBytes += payload.length
    })
  })
}

function echo(context) {
  const { counts, variant } = context
  return listen(context, (socket) => {
    const out = peers[variant].open(socket, (payload) => {
      counts.frames++
      counts.payloadBytes += payload.length
      out.write(payload)
    })
  })
}

function send(context) {
  const { size, seconds, counts, variant } = context
  const payload = payloadOf(size)
  return listen(context, (socket) => {
    const out = peers[variant].open(socket, () => {})
    const write = () => out.write(payload)
    const drain = (run) => out.once('drain', run)
    pump({ size, seconds, counts, write, drain, done: () => out.end() })
  })
}

await party({ count, echo, send })
