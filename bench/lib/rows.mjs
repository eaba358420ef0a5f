// What is measured over sockets: one row is one scenario of the servers and one mode of the generator. `quick`
// names the parties of the short suite; a row without it is in the full suite alone.

const NPM = ['frame-stream', 'length-prefixed-stream', 'framed-stream', 'it-length-prefixed']
const OTHER_PROTOCOLS = ['ws', 'zeromq', 'node-ipc']
const OWN = ['native', 'native-frame', 'js', 'js-frame']

const KIB = 1024
const MIB = 1024 * 1024

export function sizeText(size) {
  if (size === 'mixed') return 'mixed sizes'
  if (size >= MIB) return `${size / MIB} MiB`
  return size >= KIB ? `${size / KIB} KiB` : `${size} B`
}

const receive = (name, size, parties, quick) => ({
  id: `receive-${name}`,
  title: `receive ${sizeText(size)}`,
  group: 'receive',
  scenario: 'count',
  mode: 'receive',
  size,
  parties,
  quick,
})

const send = (name, size, parties, quick) => ({
  id: `send-${name}`,
  title: `send ${sizeText(size)}`,
  group: 'send',
  scenario: 'send',
  mode: 'send',
  size,
  labels: { net: 'node:net, a write each' },
  parties,
  quick,
})

const echo = (name, title, size, outstanding, parties, quick) => ({
  id: `echo-${name}`,
  title,
  group: 'echo',
  scenario: 'echo',
  mode: outstanding === 1 ? 'pingpong' : 'echo',
  size,
  options: ['--outstanding', String(outstanding)],
  parties,
  quick,
})

const conns = (count, parties, quick) => ({
  id: `conns-${count}`,
  title: `${count} connection${count > 1 ? 's' : ''}, one 64 B request outstanding each`,
  group: 'conns',
  scenario: 'echo',
  mode: 'conns',
  size: 64,
  options: ['--connections', String(count)],
  parties,
  quick,
})

const exchange = (count, parties, quick) => ({
  id: `exchange-${count}`,
  title: `connect, frame, reply, close, ${count} at a time`,
  group: 'exchange',
  scenario: 'exchange',
  mode: 'exchange',
  size: 64,
  labels: { net: 'node:net with setTimeout' },
  options: ['--connections', String(count)],
  parties,
  quick,
})

const receivers = ['net', 'net-onread', 'concat-loop', ...NPM, ...OWN, 'c']
const echoers = ['net', 'frame-stream', ...OWN, 'c']
const quickReceive = [
  'net',
  'c',
  'native',
  'js-frame',
  'frame-stream',
  'framed-stream',
  'length-prefixed-stream',
]

const UNIX = [
  receive('16', 16, receivers, ['c', 'native', 'js-frame', 'framed-stream', 'length-prefixed-stream']),
  receive('64', 64, [...receivers, ...OTHER_PROTOCOLS], [...quickReceive, 'native-frame', 'concat-loop']),
  receive('1k', KIB, [...receivers, ...OTHER_PROTOCOLS], quickReceive),
  receive('16k', 16 * KIB, [...receivers, ...OTHER_PROTOCOLS], quickReceive),
  receive('256k', 256 * KIB, receivers, quickReceive),
  receive('mixed', 'mixed', receivers),
  receive('1m', MIB, ['net', 'frame-stream', 'length-prefixed-stream', 'framed-stream', ...OWN, 'c']),
  receive('16m', 16 * MIB, ['net', 'length-prefixed-stream', 'framed-stream', ...OWN, 'c']),
  send(
    '64',
    64,
    ['net', 'net-corked', 'concat-loop', ...NPM, ...OTHER_PROTOCOLS, 'js', 'native', 'c'],
    ['net', 'net-corked', 'native', 'js'],
  ),
  send('1k', KIB, ['net', 'net-corked', ...NPM, 'js', 'native', 'c']),
  send('16k', 16 * KIB, ['net', 'net-corked', ...NPM, 'js', 'native', 'c']),
  echo('1', 'ping-pong 64 B', 64, 1, [...echoers, ...OTHER_PROTOCOLS], ['net', 'native', 'c']),
  echo('64', 'echo 64 B, 64 outstanding', 64, 64, [...echoers, ...OTHER_PROTOCOLS], ['net', 'native', 'c']),
  echo('1024', 'echo 64 B, 1,024 outstanding', 64, 1024, [...echoers, ...OTHER_PROTOCOLS]),
  echo('mixed', 'echo mixed sizes, 64 outstanding', 'mixed', 64, echoers),
  echo('1m', 'echo 1 MiB, 4 outstanding', MIB, 4, ['net', ...OWN, 'c']),
  echo('16m', 'echo 16 MiB, 2 outstanding', 16 * MIB, 2, ['net', ...OWN, 'c']),
  exchange(1, ['net', 'js', 'native', 'c']),
  exchange(16, ['net', 'js', 'native', 'c'], ['net', 'js', 'native', 'c']),
  exchange(256, ['net', 'js', 'native', 'c']),
  conns(1, echoers),
  conns(16, echoers, ['net', 'native', 'c']),
  conns(256, echoers, ['net', 'native', 'c']),
  conns(1000, echoers, ['net', 'native', 'c']),
  {
    id: 'idle',
    title: 'open connections, each holding half a frame',
    group: 'idle',
    scenario: 'idle',
    mode: 'idle',
    size: 64,
    connections: 10_000,
    parties: ['net', 'concat-loop', 'js', 'native', 'c'],
    quick: ['net', 'native'],
  },
]

/**
 * Twice the work must take twice the time: the same rate at 1x, 2x, 4x, 8x of it. Rows that are compared take turns
 * (`together`), as parties of one row do.
 */
function linear() {
  const own = ['native', 'js']
  const rows = []
  for (const frames of [2, 4, 8, 16]) {
    rows.push({
      ...receive(`frames-${frames}m`, 64, own, frames === 4 || frames === 8 ? ['native'] : undefined),
      id: `linear-frames-${frames}m`,
      title: `receive ${frames} million frames of 64 B`,
      group: 'linear',
      together: 'linear-frames',
      options: ['--frames', String(frames * 1e6)],
    })
  }
  for (const count of [8, 16, 32, 64]) {
    rows.push({
      // The kernel's memory for twice as many queues is colder, for the C server as well.
      ...receive(`conns-${count}`, 64, [...own, 'c'], count === 16 || count === 32 ? ['native'] : undefined),
      id: `linear-conns-${count}`,
      title: `receive 64 B on ${count} connections at once`,
      group: 'linear',
      together: 'linear-conns',
      options: ['--connections', String(count)],
    })
  }
  for (const mib of [2, 4, 8]) {
    rows.push({
      ...receive(`size-${mib}m`, mib * MIB, own, mib > 2 ? ['native'] : undefined),
      id: `linear-size-${mib}m`,
      title: `receive ${mib} MiB`,
      group: 'linear',
      together: 'linear-size',
    })
  }
  return rows
}

const TCP_CHIEF = ['net', 'native', 'js', 'c']
const TCP_MORE = [...TCP_CHIEF, 'net-corked', 'frame-stream', 'native-frame', 'js-frame']

/** Every row is measured over TCP too; in these with more than the chief parties: the others say there what they say here. */
const TCP_PARTIES = {
  'receive-64': [...TCP_MORE, ...OTHER_PROTOCOLS],
  'receive-1k': TCP_MORE,
  'receive-16k': TCP_MORE,
  'receive-256k': TCP_MORE,
  'send-64': [...TCP_MORE, ...OTHER_PROTOCOLS],
  'echo-1': TCP_MORE,
  'echo-64': [...TCP_MORE, ...OTHER_PROTOCOLS],
}

function overTcp(row) {
  const wanted = TCP_PARTIES[row.id] ?? TCP_CHIEF
  const parties = row.parties.filter((name) => wanted.includes(name))
  return { ...row, id: `tcp-${row.id}`, title: `${row.title}, TCP`, tcp: true, parties, quick: undefined }
}

export const ROWS = [
  ...UNIX.map((row) => ({ ...row, tcp: false })),
  ...linear().map((row) => ({ ...row, tcp: false })),
  ...UNIX.map(overTcp),
]
