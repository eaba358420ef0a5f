#!/usr/bin/env node
// Development: brings everything up, prints the address, starts the resident process again when it dies, and clears up.
// `--nats` runs two resident processes that share their work through a NATS server.
import { parseArgs } from 'node:util'
import { Stage } from '../launcher/stage.js'

const { values } = parseArgs({ options: { nats: { type: 'boolean', default: false } } })
const stage = new Stage({
  nats: values.nats,
  residents: values.nats ? 2 : 1,
  onDeath: (child) =>
    console.error(`resident process ${child.pid} died and is started again\n${child.lastWords()}`),
})

let ending = false
async function stop() {
  if (ending) return
  ending = true
  await stage.stop()
  process.exit(0)
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop)

await stage.start()
console.log(`
  ${stage.url}

  Open it in two browsers and log in under two names.
  resident processes: ${stage.residents.map(({ child }) => child.pid).join(', ')} (kill one and see)
  logs: ${stage.folder}
  Ctrl-C ends it.
`)
