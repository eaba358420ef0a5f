// Compiled against the installed package, never run: every entry's types are found, and say what they should.
import { type BackendInfo, backendInfo, createServer, type FrameBatch, request } from 'framewire'
import { encodeFrame, FrameDecoder, type FrameFormat } from 'framewire/codec'

const info: BackendInfo = backendInfo()
const format: FrameFormat = { lengthBytes: 2, endian: 'little' }
const server = createServer({ format, serialization: 'text', onRequest: (text) => text.toUpperCase() })
server.on('connection', (connection) => {
  connection.onBatch((batch: FrameBatch) => batch.length)
})
const reply: Promise<Buffer> = request({ path: '/run/app.sock' }, encodeFrame('x'))
new FrameDecoder({ format }).push(new Uint8Array(1))
// @ts-expect-error: there is no such backend
createServer({ backend: 'wasm' })

export { info, reply }
