/** What the addon keeps alive is counted, and is nothing once everything is closed and collected. */
import { expect, it } from 'vitest'
import { closing, collectGarbage, frame, frames, pattern, stage, until } from '../contract/suite/harness.js'

const isNative = process.env.FRAMEWIRE_BACKEND !== 'js'

interface Counters {
  readonly connections: number
  readonly largeBytes: number
  readonly largeBlocks: number
  readonly heldPayloads: number
  readonly configs: number
}

const ZERO: Counters = { connections: 0, largeBytes: 0, largeBlocks: 0, heldPayloads: 0, configs: 0 }

/** What was loaded here. Each load has counters of its own, and those of the package that is tested are wanted. */
const loaded: { exports: { counters?(): Counters } }[] = []
const { dlopen } = process
process.dlopen = (module, ...rest) => {
  loaded.push(module as (typeof loaded)[number])
  dlopen.call(process, module, ...rest)
}

function counters(): Counters {
  const found = loaded.map(({ exports }) => exports).filter(({ counters }) => counters !== undefined)
  expect(found).toHaveLength(1)
  return found[0].counters!()
}

if (!isNative) it('is left out by FRAMEWIRE_BACKEND=js', () => {})
else {
  it('partial frames, borrowed payloads and connections are counted while they are there, and all are given back', async () => {
    const { server, raw, accepted, pair } = await stage('native')
    // A frame that never comes whole.
    const partial = await raw()
    const first = await accepted()
    first.onBatch(() => {})
    await partial.write(frame(pattern(3_000_000)).subarray(0, 1_000_000))
    await until(() => first.stats().bytesReceived === 1_000_000)
    // A payload that is lent and cannot be written.
    const deaf = await raw()
    const second = await accepted()
    deaf.socket.pause()
    second.send(pattern(4_000_000))
    // One that arrives, and is kept.
    const [client, third] = await pair()
    const got = frames(third, 1)
    client.send(pattern(2_000_000))
    const [kept] = await got
    const busy = counters()
    expect(busy.connections).toBe(4)
    expect(busy.configs).toBe(2)
    expect(busy.heldPayloads).toBe(1)
    expect(busy.largeBlocks).toBe(1)
    expect(busy.largeBytes).toBeGreaterThanOrEqual(999_996)
    expect(busy.largeBytes).toBeLessThan(2_100_000)

    const lost = Promise.all([closing(first), closing(second)])
    partial.socket.destroy()
    deaf.socket.destroy()
    await lost
    client.destroy()
    await server.close({ timeout: 0 })
    collectGarbage()
    await until(() => counters().connections === 0 && counters().configs === 0)
    expect(counters()).toEqual(ZERO)
    expect(kept.equals(pattern(2_000_000))).toBe(true)
  })

  it('connections in every state that are destroyed in one go leave nothing', async () => {
    const { server, raw, accepted } = await stage('native', {
      headerTimeout: 1000,
      bodyTimeout: 1000,
      writeTimeout: 1000,
    })
    for (let i = 0; i < 60; i++) {
      const peer = await raw()
      const connection = await accepted()
      if (i % 3 > 0) connection.on('frame', (payload) => connection.send(payload))
      const bytes = [
        frame('x').subarray(0, 3),
        frame(pattern(100_000)).subarray(0, 60_000),
        frame(pattern(2_000_000)),
        frame('x'),
      ][i % 4]
      peer.socket.write(bytes)
      if (i % 5 === 0) peer.socket.end()
      if (i % 7 === 0) connection.send(pattern(500_000))
      if (i % 11 === 0) connection.pause()
      if (i % 13 === 0) void connection.close()
    }
    await server.close({ timeout: 0 })
    collectGarbage()
    await until(() => counters().connections === 0 && counters().configs === 0)
    expect(counters()).toEqual(ZERO)
  })
}
