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

/** Lets the party compile and grow before it is measured. What it answers is not looked at. */
export const warm = (name, row, address, place, seconds) => run(name, row, address, place, seconds)

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
export async function measure(server, name, row, address, { place, seconds, clock }) {
  const before = await server.report()
  const result = await run(name, row, address, place, seconds)
  const after = await server.report()
  check(row, result, before, after)
  const cpu = after.cpuUser + after.cpuSystem - before.cpuUser - before.cpuSystem
  const took = clock === 'cpu' ? (cpu + result.cpu) / 1e6 : result.seconds
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
    if (now.cpuUser + now.cpuSystem - last.cpuUser - last.cpuSystem < 4000) return
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
