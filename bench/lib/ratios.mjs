// The promises about speed, as ratios within one run: what is divided by what, the floor that must be held and the
// aim. The median of what each round gave: a machine that is slower for a minute is so for both sides of a round.
// A ratio whose parts were not measured in this run is left out.
import { median } from './stats.mjs'

const over = (id, title, row, party, base, floor, aim, options = {}) => ({
  id,
  title,
  floor,
  aim,
  above: { row, party, ...options.above },
  below: { row: options.baseRow ?? row, party: base },
  metric: options.metric ?? 'rate',
  lower: options.lower ?? false,
})

const NPM = ['frame-stream', 'length-prefixed-stream', 'framed-stream', 'it-length-prefixed']
const SIZES = { 16: '16 B', 64: '64 B', '1k': '1 KiB', '16k': '16 KiB', '256k': '256 KiB' }

const unframed = (size, floor, aim) =>
  over(
    `receive-${size}-over-net`,
    `native batch receive ${SIZES[size]}, bytes/s over unframed net`,
    `receive-${size}`,
    'native',
    'net',
    floor,
    aim,
    { metric: 'bytesPerSecond' },
  )

const overC = (size, floor, aim) =>
  over(
    `receive-${size}-over-c`,
    `native batch receive ${SIZES[size]} over the C server`,
    `receive-${size}`,
    'native',
    'c',
    floor,
    aim,
  )

const conns = (count) =>
  over(
    `conns-${count}-over-net`,
    `${count.toLocaleString('en')} connections, one request outstanding each, over unframed net`,
    `conns-${count}`,
    'native',
    'net',
    1.7,
    2.3,
  )

const linear = (what, title, from, to) =>
  over(
    `linear-${what}`,
    `doubling the ${title}: rate at twice over rate at once`,
    `linear-${to}`,
    'native',
    'native',
    0.85,
    1,
    {
      baseRow: `linear-${from}`,
      metric: 'bytesPerSecond',
    },
  )

export const RATIOS = [
  unframed('64', 0.75, 1.0),
  unframed('1k', 1.5, 1.75),
  unframed('16k', 1.75, 2.0),
  unframed('256k', 1.5, 2.0),
  overC('16', 0.5, 0.8),
  overC('64', 0.65, 0.95),
  overC('1k', 0.85, 0.98),
  over(
    'frame-mode-over-frame-stream',
    'native frame mode (a Buffer each) 64 B over frame-stream',
    'receive-64',
    'native-frame',
    'frame-stream',
    3,
    5,
  ),
  ...Object.keys(SIZES).map((size) =>
    over(
      `js-${size}-over-npm`,
      `js backend frame mode ${SIZES[size]} over the best npm peer`,
      `receive-${size}`,
      'js-frame',
      NPM,
      1.0,
      1.5,
    ),
  ),
  over('send-over-net', 'send 64 B over one socket.write a message', 'send-64', 'native', 'net', 12, 25),
  over('send-over-corked', 'send 64 B over corked writes', 'send-64', 'native', 'net-corked', 2, 4),
  over(
    'echo-64-over-net',
    'echo 64 B, 64 outstanding, over unframed net',
    'echo-64',
    'native',
    'net',
    1.0,
    2.0,
  ),
  over(
    'ping-pong-over-net',
    'ping-pong 64 B p50 over unframed net (lower is better)',
    'echo-1',
    'native',
    'net',
    0.9,
    0.75,
    {
      metric: 'p50',
      lower: true,
    },
  ),
  over(
    'exchange-over-net',
    'connect, frame, reply, close, 16 at a time, over net with deadlines',
    'exchange-16',
    'native',
    'net',
    3.0,
    4.0,
  ),
  over(
    'exchange-over-c',
    'connect, frame, reply, close, 16 at a time, over the C server',
    'exchange-16',
    'native',
    'c',
    0.7,
    0.92,
  ),
  conns(16),
  conns(256),
  conns(1000),
  {
    id: 'idle-bytes',
    title: 'resident bytes of an idle connection with half a frame (lower is better)',
    floor: 1024,
    aim: 400,
    above: { row: 'idle', party: 'native' },
    below: null,
    metric: 'bytesPerConnection',
    lower: true,
  },
  linear('frames', 'frame count', 'frames-4m', 'frames-8m'),
  linear('connections', 'connection count', 'conns-16', 'conns-32'),
  linear('size', 'frame size', 'size-4m', 'size-8m'),
]

/** The summary of a party, or of the best of several. */
function best(results, { row, party }, metric, lower) {
  const found = [party]
    .flat()
    .map((name) => results[row]?.[name])
    .filter((summary) => Number.isFinite(summary?.[metric]))
  return found.sort((a, b) => (lower ? a[metric] - b[metric] : b[metric] - a[metric]))[0]
}

function quotient(above, below, metric) {
  const over = above.each?.[metric]
  const under = below.each?.[metric]
  if (!over || over.length !== under?.length) return above[metric] / below[metric]
  return median(over.map((value, round) => value / under[round]))
}

/** Every ratio that can be had from `results` ({row: {party: summary}}), with its verdict. */
export function ratiosOf(results) {
  const found = []
  for (const ratio of RATIOS) {
    const { id, title, floor, aim, lower, metric } = ratio
    const above = best(results, ratio.above, metric, lower)
    const below = ratio.below && best(results, ratio.below, metric, lower)
    if (!above || (ratio.below && !below)) continue
    const value = below ? quotient(above, below, metric) : above[metric]
    const reached = (bar) => (lower ? value <= bar : value >= bar)
    const verdict = reached(aim) ? 'aim' : reached(floor) ? 'floor' : 'short'
    found.push({ id, title, value, floor, aim, lower, verdict })
  }
  return found
}

const OWN = ['native', 'native-frame', 'js', 'js-frame']

/**
 * The package's parties over `node:net` as it is served in that row, payload bytes a second: [{row, ratios: {party: value}}]
 * of every row that has both.
 */
export function besideNet(rows) {
  return rows.flatMap(({ row, results }) => {
    const net = results.net
    if (!Number.isFinite(net?.bytesPerSecond)) return []
    const measured = OWN.filter((name) => Number.isFinite(results[name]?.bytesPerSecond))
    const ratios = measured.map((name) => [name, quotient(results[name], net, 'bytesPerSecond')])
    return ratios.length ? [{ row, ratios: Object.fromEntries(ratios) }] : []
  })
}

/** Rows and parties that ratios need: what a gate run measures. */
export function needed() {
  const wanted = new Map()
  const add = (row, party) => {
    if (!wanted.has(row)) wanted.set(row, new Set())
    for (const name of [party].flat()) wanted.get(row).add(name)
  }
  for (const { above, below } of RATIOS) {
    add(above.row, above.party)
    if (below) add(below.row, below.party)
  }
  return wanted
}

/**
 * Gates: {ratio id: {min} or {max}}. What fell short, in words. A gate without a figure falls short where its row was
 * `measured`, for then a check failed; where the run left the row out it says nothing.
 */
export function gateFailures(gates, ratios, measured) {
  const failures = []
  for (const [id, { min, max }] of Object.entries(gates)) {
    const ratio = ratios.find((one) => one.id === id)
    if (!ratio) {
      if (measured(id)) failures.push(`${id}: no figure (its check failed)`)
      continue
    }
    const value = Number(ratio.value.toPrecision(3))
    if (min !== undefined && ratio.value < min)
      failures.push(`${id}: ${value} is under ${min} (${ratio.title})`)
    if (max !== undefined && ratio.value > max)
      failures.push(`${id}: ${value} is over ${max} (${ratio.title})`)
  }
  return failures
}
