// A server in each of two worker threads, asked from the main thread; then the workers are terminated as they stand.
import { once } from 'node:events'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { backendInfo, createServer, request } from 'framewire'

if (isMainThread) {
  const workers = [new Worker(new URL(import.meta.url)), new Worker(new URL(import.meta.url))]
  const ready = await Promise.all(workers.map((worker) => once(worker, 'message')))
  for (const [{ port, backend }] of ready) {
    const reply = await request({ port, host: '127.0.0.1' }, 'hello')
    if (reply.toString() !== 'hello' || backend !== backendInfo().backend)
      throw new Error(`${reply} ${backend}`)
  }
  await Promise.all(workers.map((worker) => worker.terminate()))
  console.log(JSON.stringify(backendInfo()))
} else {
  const server = createServer({ onRequest: (payload) => payload })
  const { port } = await server.listen({ port: 0, host: '127.0.0.1' })
  parentPort.postMessage({ port, backend: backendInfo().backend })
}
