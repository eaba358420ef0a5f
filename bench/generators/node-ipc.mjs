// The client of node-ipc as generator for its own server. Its messages are JSON, so payloads are printable text.
import { IPCModule } from 'node-ipc'
import { generate } from './engine.mjs'

function open(target) {
  const ipc = new IPCModule()
  ipc.config.silent = true
  ipc.config.logger = () => {}
  let onMessage = () => {}
  return new Promise((resolve, reject) => {
    const connected = () => {
      const { server } = ipc.of
      let end
      const ended = new Promise((settle) => {
        end = settle
      })
      server.on('message', (payload) => onMessage(payload))
      server.on('end', () => end())
      server.on('error', reject)
      server.on('connect', () =>
        resolve({
          ended,
          send: (payload) => {
            server.emit('message', payload)
            return !server.socket.writableNeedDrain
          },
          start: () => server.emit('begin', ''),
          onDrain: (f) => server.socket.once('drain', f),
          onMessage: (f) => {
            onMessage = f
          },
          finish: () => {
            server.emit('end', '')
            return ended
          },
        }),
      )
    }
    if (target.path) ipc.connectTo('server', target.path, connected)
    else ipc.connectToNet('server', target.host, target.port, connected)
  })
}

await generate({
  connect: open,
  prepare: (payload) => payload.toString('latin1').replace(/[^ -~]|["\\]/g, '.'),
  same: (received, sent) => received === sent,
})
