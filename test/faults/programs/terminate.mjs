// Ends worker threads in the middle of their work, as often as it is told, and says what that left in the process.
import { readFileSync, rmSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { backendInfo, connect, createServer } from 'framewire'

async function work({ path, backend }) {
  const server = createServer({ backend }, (connection) => {
    connection.onBatch((batch) => {
      for (let i = 0; i < batch.length; i++) connection.sendFrom(batch, i)
    })
  })
  await server.listen(path)
  const payloads = [Buffer.alloc(64, 1), Buffer.alloc(300_000, 2)]
  for (let i = 0; i < 4; i++) {
    const client = await connect({ backend, path })
    const fill = () => {
      for (let n = 0; n < 50 && client.send(payloads[i % 2]); n++);
    }
    client.onBatch(fill)
    client.on('drain', fill)
    fill()
  }
  parentPort.postMessage('up')
}

async function terminate(path, backend, i) {
  const at = `${path}-${i}`
  const worker = new Worker(new URL(import.meta.url), { workerData: { path: at, backend } })
  await new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  // From at once to well into the work, by turns of this thread's loop.
  for (let turn = 0; turn < (i * 7) % 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1))
  await worker.terminate()
  rmSync(at, { force: true })
}

const four = (path, backend, i) => Promise.all([0, 1, 2, 3].map((more) => terminate(path, backend, i + more)))

if (!isMainThread) await work(workerData)
else {
  const { path, backend, times } = JSON.parse(process.argv[2])
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  const rss = () => {
    collect()
    return process.memoryUsage.rss()
  }
  // Loaded here too: what goes with the last thread would leave nothing to count.
  if (backend === 'native') backendInfo()
  const live = () => {
    if (process.env.LIVE_FILE === undefined) return undefined
    const counts = readFileSync(process.env.LIVE_FILE)
    return { bytes: Number(counts.readBigInt64LE(0)), blocks: Number(counts.readBigInt64LE(8)) }
  }
  process.on('message', async ({ id }) => {
    const alone = live()
    let busy = alone
    const watch = setInterval(() => {
      const now = live()
      if (now?.blocks > busy?.blocks) busy = now
    }, 1)
    // The first few settle what a process keeps anyway.
    const warm = times / 5
    for (let i = 0; i < warm; i += 4) await four(path, backend, i)
    const before = rss()
    for (let i = warm; i < times; i += 4) await four(path, backend, i)
    clearInterval(watch)
    process.send({ id, value: { times, grown: rss() - before, alone, busy, after: live() } })
  })
  process.on('disconnect', () => process.exit())
  process.send({ id: 0 })
}
