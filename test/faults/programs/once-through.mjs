// Everything the native backend does, once, for a checker of memory to watch: connections of both sides, small and large
// frames, faults, payloads that are lent and taken away, threads that are terminated (as many as the argument says).
import { rmSync } from 'node:fs'
import { connect as connectRaw } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { connect, createServer } from 'framewire'

const path = isMainThread ? join(tmpdir(), `fw-once-${process.pid}`) : workerData.path
const once = (emitter, event) => new Promise((resolve) => emitter.once(event, resolve))

async function session() {
  const echo = (connection) => {
    connection.onBatch((batch) => {
      for (let i = 0; i < batch.length; i++) connection.sendFrom(batch, i)
    })
  }
  const server = createServer({ backend: 'native' }, echo)
  await server.listen(path)
  const client = await connect({ backend: 'native', path })
  let left = 0
  let done
  client.on('frame', () => --left === 0 && done())
  for (const size of [0, 1, 100, 5000, 70_000, 1_000_000]) {
    left = 20
    const all = new Promise((resolve) => {
      done = resolve
    })
    for (let i = 0; i < 20; i++) client.send(i % 3 === 0 ? 'é'.repeat(size / 2) : Buffer.alloc(size, i))
    await all
  }
  if (!isMainThread) {
    parentPort.postMessage('up')
    for (;;) {
      if (client.stats().bytesQueued < 2_000_000) client.send(Buffer.alloc(200_000))
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  // Strangers have a server of their own, because a checker makes everybody else slow.
  const limits = {
    maxFrameLength: 4_000_000,
    headerTimeout: 50,
    bodyTimeout: 50,
    writeTimeout: 50,
    idleTimeout: 50,
  }
  const strict = createServer({ backend: 'native', ...limits }, echo)
  await strict.listen(`${path}-strict`)
  const peers = ['ffffffff', '000003e8aabb', '0000', '00000001aa', '001e8480aa'].map((hex) => {
    const socket = connectRaw(`${path}-strict`)
    socket.on('error', () => {})
    socket.resume()
    socket.write(Buffer.from(hex, 'hex'))
    return once(socket, 'close')
  })
  const deaf = connectRaw(`${path}-strict`)
  deaf.on('error', () => {})
  deaf.pause()
  deaf.write(Buffer.concat([Buffer.from('002dc6c0', 'hex'), Buffer.alloc(3_000_000)]))
  const lent = new Uint8Array(3_000_000)
  client.send(lent)
  structuredClone(lent.buffer, { transfer: [lent.buffer] })
  await Promise.all([once(client, 'close'), ...peers])
  deaf.destroy()
  await Promise.all([server.close({ timeout: 100 }), strict.close({ timeout: 100 })])
}

if (!isMainThread) await session()
else {
  await session()
  const times = Number(process.argv[2])
  for (let i = 0; i < times; i++) {
    const at = `${path}-${i}`
    const worker = new Worker(new URL(import.meta.url), { workerData: { path: at } })
    await once(worker, 'message')
    await worker.terminate()
    rmSync(at, { force: true })
  }
  console.log(`went through once, terminated ${times} threads`)
}
