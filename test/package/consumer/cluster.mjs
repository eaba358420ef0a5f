// Two workers of node:cluster on one port, which the primary gives out: on the js backend, by themselves.
import cluster from 'node:cluster'
import { once } from 'node:events'
import { backendInfo, createServer, request } from 'framewire'

if (cluster.isPrimary) {
  const workers = [cluster.fork(), cluster.fork()]
  const addresses = await Promise.all(workers.map(async (worker) => (await once(worker, 'listening'))[0]))
  const ports = new Set(addresses.map(({ port }) => port))
  if (ports.size !== 1) throw new Error(`${ports.size} ports`)
  const [port] = ports
  const pids = new Set()
  for (let i = 0; i < 10; i++) pids.add((await request({ port, host: '127.0.0.1' }, 'who')).toString())
  if (pids.size !== 2) throw new Error(`${pids.size} of 2 workers answered`)
  for (const worker of workers) worker.kill()
  await Promise.all(workers.map((worker) => once(worker, 'exit')))
  console.log('{"workers":2}')
} else {
  const { backend } = backendInfo()
  if (backend !== 'js') throw new Error(`on the ${backend} backend`)
  const server = createServer({ onRequest: () => `${process.pid}` })
  await server.listen({ port: 0, host: '127.0.0.1' })
}
