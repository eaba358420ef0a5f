// smoke.mjs [native|js]: echoes frames of many sizes through the installed package, over a unix socket and over TCP, and
// one exchange. Prints one line of JSON with what ran; exits 1 when a byte or the backend is not what was asked for.
// Runs on every runtime and under an emulator, so it uses nothing but the package and a few of Node's own modules.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { backendInfo, connect, createServer, request } from 'framewire'

const wanted = process.argv[2]
const info = backendInfo()
if (wanted && info.backend !== wanted) {
  console.error(`expected the ${wanted} backend, got ${JSON.stringify(info)}`)
  process.exit(1)
}

const SIZES = [0, 1, 3, 16, 17, 64, 1000, 4095, 4096, 65_536, 300_000]
const payloadOf = (i) => Buffer.alloc(SIZES[i % SIZES.length], i)

async function echo(target) {
  const server = createServer({}, (connection) => {
    connection.on('frame', (payload) => connection.send(payload))
  })
  const address = await server.listen(target)
  const client = await connect(address)
  const frames = 3 * SIZES.length
  for (let i = 0; i < frames; i++) client.send(payloadOf(i))
  let i = 0
  for await (const payload of client) {
    if (Buffer.compare(payload, payloadOf(i)) !== 0) throw new Error(`frame ${i} came back changed`)
    if (++i === frames) break
  }
  client.destroy()
  await server.close()
  return frames
}

async function once(path) {
  const server = createServer({ exchange: 'once', onRequest: (payload) => `${payload.length} bytes` })
  await server.listen(path)
  const reply = await request({ path }, Buffer.alloc(12_345))
  await server.close()
  if (reply.toString() !== '12345 bytes') throw new Error(`wrong reply: ${reply}`)
}

const folder = mkdtempSync(join(tmpdir(), 'framewire-smoke-'))
const path = join(folder, 's')
try {
  const frames = (await echo(path)) + (await echo({ port: 0, host: '127.0.0.1' }))
  await once(path)
  console.log(JSON.stringify({ ...info, frames, arch: process.arch, version: process.version }))
} finally {
  rmSync(folder, { recursive: true })
}
