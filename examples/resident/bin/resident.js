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
    'token-timeout': { type: 'string' },
    'ping-interval': { type: 'string' },
  },
})

function required(name) {
  if (values[name] === undefined) throw new Error(`--${name} is required`)
  return values[name]
}
const address = (text) => (/^\d+$/.test(text) ? Number(text) : text)

/** Those that were given. */
const numbers = (options) =>
  Object.fromEntries(
    Object.entries(options)
      .filter(([, text]) => text !== undefined)
      .map(([key, text]) => [key, Number(text)]),
  )

const resident = await startResident({
  socket: address(required('socket')),
  http: address(required('http')),
  data: required('data'),
  tasks: required('tasks'),
  nats: values.nats,
  origins: values.origin,
  ...numbers({
    concurrency: values.concurrency,
    maxQueued: values['max-queued'],
    tokenTimeout: values['token-timeout'],
    pingInterval: values['ping-interval'],
  }),
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
