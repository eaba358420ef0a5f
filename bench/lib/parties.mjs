// Who takes part: one entry a party, with the process that serves, the wire format it speaks (which chooses the
// generator), and how it is called in reports. What it is measured in is said by the rows.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const path = (relative) => fileURLToPath(new URL(`../${relative}`, import.meta.url))

const C_SERVER = path('c/build/server')
const C_GENERATOR = path('c/build/loadgen')

/** kind: own (framewire), baseline (node:net by hand), peer (npm), limit (C). wire: what its client must speak. */
const entry = (label, kind, wire, script, variant = '') => ({ label, kind, wire, script, variant })

export const PARTIES = {
  native: entry('framewire native', 'own', 'be32', 'framewire.mjs', 'native'),
  'native-frame': entry('framewire native, own Buffers', 'own', 'be32', 'framewire.mjs', 'native-frame'),
  js: entry('framewire js', 'own', 'be32', 'framewire.mjs', 'js'),
  'js-frame': entry('framewire js, own Buffers', 'own', 'be32', 'framewire.mjs', 'js-frame'),
  net: entry('node:net, unframed', 'baseline', 'be32', 'net.mjs', 'data'),
  'net-onread': entry('node:net, unframed, onread', 'baseline', 'be32', 'net.mjs', 'onread'),
  'net-corked': entry('node:net, corked writes', 'baseline', 'be32', 'net.mjs', 'corked'),
  'concat-loop': entry('Buffer.concat loop', 'baseline', 'be32', 'concat-loop.mjs'),
  'frame-stream': entry('frame-stream', 'peer', 'be32', 'stream-peers.mjs', 'frame-stream'),
  'length-prefixed-stream': entry(
    'length-prefixed-stream',
    'peer',
    'varint',
    'stream-peers.mjs',
    'length-prefixed-stream',
  ),
  'framed-stream': entry('framed-stream', 'peer', 'le32', 'stream-peers.mjs', 'framed-stream'),
  'it-length-prefixed': entry(
    'it-length-prefixed',
    'peer',
    'varint',
    'stream-peers.mjs',
    'it-length-prefixed',
  ),
  ws: entry('ws', 'peer', 'ws', 'ws.mjs'),
  zeromq: entry('zeromq', 'peer', 'zeromq', 'zeromq.mjs'),
  'node-ipc': entry('node-ipc', 'peer', 'node-ipc', 'node-ipc.mjs'),
  c: entry('C, epoll', 'limit', 'be32', null),
}

/** What a party is called in a row: what `node:net` does there differs from row to row (`labels` of the row). */
export const labelOf = (row, name) => row.labels?.[name] ?? PARTIES[name].label

/** A comparison of revisions calls its two builds of one party NAME@base and NAME@head. */
const partyOf = (name) => PARTIES[name.split('@')[0]]

export const hasC = () => existsSync(C_SERVER) && existsSync(C_GENERATOR)

/** Command line of the party's server. `gc` lets it collect garbage on request, which memory figures need. */
export function serverCommand(name, row, address, { gc = false, seconds } = {}) {
  const party = partyOf(name)
  const options = ['--size', String(row.size === 'mixed' ? 64 : row.size), '--seconds', String(seconds)]
  if (party.script === null)
    return [C_SERVER, row.scenario === 'idle' ? 'count' : row.scenario, address, ...options]
  const flags = gc ? ['--expose-gc'] : []
  const script = path(`parties/${party.script}`)
  return [process.execPath, ...flags, script, row.scenario, address, '--variant', party.variant, ...options]
}

/** Command line of the generator that speaks the party's protocol. */
export function generatorCommand(name, row, address, seconds) {
  const { wire } = partyOf(name)
  const options = ['--size', String(row.size), '--seconds', String(seconds), ...(row.options ?? [])]
  const own = ['ws', 'zeromq', 'node-ipc'].includes(wire)
  if (own) return [process.execPath, path(`generators/${wire}.mjs`), row.mode, address, ...options]
  if (hasC()) return [C_GENERATOR, row.mode, address, ...options, '--header', wire]
  return [process.execPath, path('generators/framewire.mjs'), row.mode, address, ...options, '--header', wire]
}
