// npm start: what framewire is for, measured here and now. A server on a unix socket with whichever backend is there, the
// one-connection exchange and a stream of small frames against it, and the same work against a plain `node:net` server.
// Every server and the load generator are processes of their own. Ends by itself within 20 seconds.
import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import os from 'node:os'
import { join } from 'node:path'
import { backendInfo } from 'framewire'
import { sharesCore, startChild } from './children.mjs'
import { group, painter, progress } from './report.mjs'

const MAX_ROUNDS = 3
/** No round begins later than this: a busy machine gets fewer, and the report says how many. */
const LAST_ROUND_MS = 11_000
const ROUND_MS = 600
const WARM_UP_MS = 250
const SIZE = 64
const WIDTH = 16

const WORKS = [
  {
    work: 'exchange',
    title: 'Connect, one frame, one JSON reply, close',
    note: `${WIDTH} at a time`,
    parties: [
      { party: 'net', label: 'node:net with setTimeout' },
      { party: 'framewire', label: "framewire, exchange: 'once'", ours: true },
    ],
  },
  {
    work: 'stream',
    title: 'A stream of 64-byte frames',
    note: 'one connection',
    parties: [
      { party: 'unframed', label: 'node:net, unframed bytes' },
      { party: 'concat', label: 'node:net, Buffer.concat decoder' },
      { party: 'framewire', label: 'framewire, onBatch', ours: true },
    ],
  },
]

async function measure(load, entry, order) {
  await entry.server.ask('count')
  const { sent, seconds } = await load.ask({ ...order, path: entry.path, size: SIZE, width: WIDTH })
  const counted = await entry.server.ask('count')
  const expected = entry.party === 'unframed' ? sent * (SIZE + 4) : sent * SIZE
  if (counted.bytes !== expected) {
    throw new Error(`${entry.label}: ${counted.bytes} bytes were counted and ${expected} sent`)
  }
  return { rate: sent / seconds, cpu: counted.cpuSeconds / sent }
}

async function run(folder, entries, bar) {
  const load = await startChild('./load.mjs', [])
  try {
    for (const entry of entries) {
      entry.path = join(folder, `${entry.work}-${entry.party}.sock`)
      entry.server = await startChild('./parties.mjs', [entry.work, entry.party, entry.path])
      await measure(load, entry, { work: entry.work, ms: WARM_UP_MS })
    }
    for (let round = 1; round <= MAX_ROUNDS && performance.now() < LAST_ROUND_MS; round++) {
      // Every other round runs backwards: what warms up or cools down does so for everyone alike.
      for (const entry of round % 2 ? entries : [...entries].reverse()) {
        bar.step(`round ${round} of ${MAX_ROUNDS}: ${entry.work}, ${entry.label}`)
        entry.samples.push(await measure(load, entry, { work: entry.work, ms: ROUND_MS }))
      }
    }
  } finally {
    await Promise.all([load, ...entries.map((entry) => entry.server)].map((child) => child?.stop()))
  }
}

const paint = painter(process.stdout)
const info = backendInfo()
const native = info.backend === 'native'
console.log(`\n${paint.bold('framewire')} on the ${paint.green(`${info.backend} backend`)}: ${info.reason}`)
if (!native)
  console.log(paint.yellow('Everything works; `npx framewire doctor` tells what would make it native.'))
const cores = os.availableParallelism()
const machine = `${process.platform} ${process.arch}, ${cores} ${cores === 1 ? 'core' : 'cores'}`
console.log(paint.dim(`Node ${process.version}, ${machine}\n`))

const entries = WORKS.flatMap(({ work, parties }) => parties.map((p) => ({ ...p, work, samples: [] })))
const bar = progress(process.stderr, entries.length * MAX_ROUNDS, painter(process.stderr))
const folder = await mkdtemp(join(os.tmpdir(), 'framewire-'))
const late = setTimeout(() => {
  rmSync(folder, { recursive: true })
  console.error('this machine is too busy: given up after 19 seconds')
  process.exit(1)
}, 19_000)
try {
  await run(folder, entries, bar)
} finally {
  clearTimeout(late)
  bar.end()
  rmSync(folder, { recursive: true })
}

for (const { work, title, note } of WORKS) {
  const rows = entries.filter((entry) => entry.work === work)
  console.log(`${group({ title, note, rows }, paint).join('\n')}\n`)
}
const place = sharesCore ? 'server and load generator share one core' : 'server and load generator run apart'
const rounds = entries[0].samples.length
console.log(paint.dim(`Medians of ${rounds} interleaved rounds, unix sockets, processes apart; ${place}.`))
