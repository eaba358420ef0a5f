#!/usr/bin/env node
// The resident process: reads its options, starts, says so, and ends cleanly when asked.
import { parseArgs } from 'node:util'
import { startResident } from '../src/resident.js'

const { values } = parseArgs({
  options: {
    socket: { type: 'string' },
    http: { type: 'string' },
    data: { type: 'string' },
    tasks: { type: 'string' },
    nats: { type: 'string' },
    origin: { type: 'string', multiple: true, default: [] },
    concurrency: { type: 'string' },
    'max-queued': { type: 'string' },
  },
})

function required(name) {
  if (values[name] === undefined) throw new Error(`--${name} is required`)
  return values[name]
}
const address = (text) => (/^\d+$/.test(text) ? Number(text) : text)

const resident = await startResident({
  socket: address(required('socket')),
  http: address(required('http')),
  data: required('data'),
  tasks: required('tasks'),
  nats: values.nats,
  origins: values.origin,
  ...(values.concurrency && { concurrency: Number(values.concurrency) }),
  ...(values['max-queued'] && { maxQueued: Number(values['max-queued']) }),
})
console.log(`resident: pid ${process.pid}, socket ${values.socket}, browsers at ${values.http}`)

let ending = false
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, async () => {
    if (ending) return
    ending = true
    await resident.close()
    process.exit(0)
  })
}
