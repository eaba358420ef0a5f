// node-ipc in its own protocol: JSON messages behind a delimiter, so payloads are strings here. A message of type
// 'end' is the client's "that was all" and is answered.
import { IPCModule } from 'node-ipc'
import { party, payloadOf, pump } from './contract.mjs'

function listen(context, handlers) {
  const ipc = new IPCModule()
  ipc.config.id = 'bench'
  ipc.config.silent = true
  ipc.config.logger = () => {}
  const { path, host, port } = context.listen
  const { counts } = context
  return new Promise((resolve) => {
    const started = () => {
      ipc.server.on('connect', () => counts.connections++)
      ipc.server.on('error', () => counts.errors++)
      ipc.server.on('end', (_, socket) => ipc.server.emit(socket, 'end', ''))
      for (const [name, handler] of Object.entries(handlers(ipc))) ipc.server.on(name, handler)
      resolve()
    }
    if (path) ipc.serve(path, started)
    else ipc.serveNet(host, port, started)
    ipc.server.start()
  })
}

const take = (counts, payload) => {
  counts.frames++
  counts.payloadBytes += payload.length
}

const count = (context) => listen(context, () => ({ message: (payload) => take(context.counts, payload) }))

const echo = (context) =>
  listen(context, (ipc) => ({
    message: (payload, socket) => {
      take(context.counts, payload)
      ipc.server.emit(socket, 'message', payload)
    },
  }))

const send = (context) =>
  listen(context, (ipc) => ({
    begin: (_, socket) => {
      const { size, seconds, counts } = context
      const payload = payloadOf(size)
        .toString('latin1')
        .replace(/[^ -~]|["\\]/g, '.')
      const write = () => {
        ipc.server.emit(socket, 'message', payload)
        return !socket.writableNeedDrain
      }
      const drain = (run) => socket.once('drain', run)
      pump({ size, seconds, counts, write, drain, done: () => ipc.server.emit(socket, 'end', '') })
    },
  }))

await party({ count, echo, send })
