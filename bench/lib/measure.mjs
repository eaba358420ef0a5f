// One measurement: a party, a row, a round. It starts nothing but what it is given, checks that both sides
// counted the same, and turns counts and times into figures. A failed check is an error and gives no figure.
import { generatorCommand, serverCommand } from './parties.mjs'
import { generate, Holder, Server } from './process.mjs'

const LIMIT_MS = 60_000

export async function startServer(name, row, address, place, { seconds, gc, env }) {
  const server = new Server([...place.server, ...serverCommand(name, row, address, { seconds, gc })], env)
  try {
    await server.ready()
  } catch (error) {
    await server.stop()
    throw error
  }
  return server
}

const run = (name, row, address, place, seconds) =>
  generate([...place.generator, ...generatorCommand(name, row, address, seconds)], LIMIT_MS)

/** Runs of the generator at most where one has not had its CPU time, each twice as long as the one before. */
const MOST_RUNS = 5

/** A run has this much of its seconds at least: what starts and ends it takes some. */
const ENOUGH = 0.6

const cpuBetween = (before, after) => after.cpuUser + after.cpuSystem - before.cpuUser - before.cpuSystem

function sum(results) {
  const total = { ...results.at(-1) }
  for (const key of ['frames', 'bytes', 'payloadBytes', 'seconds', 'cpu', 'errors'])
    total[key] = results.reduce((all, one) => all + one[key], 0)
  return total
}

/**
 * Runs the generator for `seconds`. By CPU time until both sides together have had as much of it: what a busy machine
 * gives them in that many seconds is a small part, and most of it what a start costs. Latencies are the last run's.
 */
export async function drive(server, name, row, address, { place, clock }, seconds) {
  const before = await server.report()
  const results = []
  for (;;) {
    results.push(await run(name, row, address, place, seconds * 2 ** results.length))
    const after = await server.report()
    const result = sum(results)
    const cpu = cpuBetween(before, after)
    const enough = clock !== 'cpu' || cpu + result.cpu >= seconds * ENOUGH * 1e6
    if (enough || results.length === MOST_RUNS) return { before, after, result, cpu }
  }
}

/** @throws when both sides did not count the same, or anything came back wrong. */
export function check(row, result, before, after) {
  const wrong = []
  const same = (what, server, generator) => {
    if (server !== generator) wrong.push(`${what}: server ${server}, generator ${generator}`)
  }
  if (result.errors) wrong.push(`${result.errors} replies were not what they should be`)
  if (after.errors !== before.errors) wrong.push(`the server had ${after.errors - before.errors} errors`)
  if (!result.frames) wrong.push('nothing was done')
  if (after.frames === null) {
    same('bytes', after.bytes - before.bytes, result.bytes)
  } else {
    same('frames', after.frames - before.frames, result.frames)
    const payload = row.mode === 'exchange' ? result.frames * row.size : result.payloadBytes
    same('payload bytes', after.payloadBytes - before.payloadBytes, payload)
  }
  if (wrong.length) throw new Error(wrong.join('; '))
}

const LATENCIES = ['p50', 'p90', 'p99', 'p999']

/** Measures `row` on a server that runs. `clock` 'cpu': per second of CPU time of both sides together. */
export async function measure(server, name, row, address, options) {
  const { before, after, result, cpu } = await drive(server, name, row, address, options, options.seconds)
  check(row, result, before, after)
  const took = options.clock === 'cpu' ? (cpu + result.cpu) / 1e6 : result.seconds
  const sample = {
    rate: result.frames / took,
    bytesPerSecond: result.payloadBytes / took,
    cpuPerFrame: (cpu * 1000) / result.frames,
    peak: after.peak,
  }
  for (const key of LATENCIES) if (key in result) sample[key] = result[key]
  return sample
}

/** Waits until the server has nothing more to do: its CPU time stands still. */
async function settled(server) {
  let last = await server.report()
  for (let i = 0; i < 100; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    const now = await server.report()
    if (cpuBetween(last, now) < 4000) return
    last = now
  }
  throw new Error('the server does not come to rest')
}

/** Resident bytes of an open connection that holds half a frame. */
export async function measureIdle(name, row, address, place, connections) {
  const server = await startServer(name, row, address, place, { seconds: 1, gc: true })
  const holder = (count) => {
    const options = ['--connections', String(count)]
    return new Holder([...place.generator, ...generatorCommand(name, { ...row, options }, address, 1)])
  }
  const hold = async (count) => {
    const held = holder(count)
    try {
      await held.held(LIMIT_MS)
      await settled(server)
      const { rss } = await server.report(true)
      const result = await held.finish(LIMIT_MS)
      return { rss, result }
    } finally {
      await held.stop()
    }
  }
  try {
    // A small crowd first: code, slabs and pools that exist once are not the cost of a connection.
    const few = Math.ceil(connections / 50)
    await hold(few)
    await settled(server)
    const before = await server.report(true)
    const { rss, result } = await hold(connections)
    const after = await server.report()
    if (after.frames !== null) check(row, result, before, after)
    return { bytesPerConnection: (rss - before.rss) / connections, connections, peak: after.peak }
  } finally {
    await server.stop()
  }
}
