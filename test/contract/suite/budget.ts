/** Whole frames that wait above the transport count against `memoryBudget`, whoever keeps them waiting, and only while they do. */
import type { Duplex } from 'node:stream'
import type { Connection } from 'framewire'
import { describe, expect, it } from 'vitest'
import {
  type Backend,
  closing,
  collectGarbage,
  deferred,
  frame,
  pattern,
  settled,
  stage,
  until,
} from './harness.js'
import { type Bytes, emitted, service } from './service.js'

type Waits = (connection: Connection<Buffer, Bytes>) => void

const BUDGET = 1024 * 1024
const PAYLOAD = pattern(200_000)
/** Frames of that size that fit. */
const FITS = Math.floor(BUDGET / PAYLOAD.length)

const waiting: Record<string, Waits> = {
  'no consumer': () => {},
  'a loop that does not go on': (connection) => void connection[Symbol.asyncIterator](),
  'a Duplex nobody reads': (connection) => void connection.toDuplex().on('error', () => {}),
  'a web stream nobody reads': (connection) => void connection.toWeb(),
}

const readers: Record<string, (connection: Connection<Buffer, Bytes>) => AsyncIterable<Buffer>> = {
  'a loop': (connection) => connection,
  'a Duplex': (connection) => connection.toDuplex(),
  'a web stream': (connection) => connection.toWeb().readable,
}

/** More than the kernel takes, in a while. */
async function sendSome(connection: Connection<Buffer, Bytes>): Promise<void> {
  connection.send(PAYLOAD.subarray(0, 10_000))
  await settled()
}

export function budgetContract(backend: Backend): void {
  it.each(Object.entries(waiting))('%s: the newest goes when there is no more room', async (_who, wait) => {
    const { server, raw, accepted } = await stage(backend, { memoryBudget: BUDGET })
    const held: Connection<Buffer, Bytes>[] = []
    for (let i = 0; i < FITS; i++) {
      const [connection, peer] = await Promise.all([accepted(), raw()])
      wait(connection)
      await peer.write(frame(PAYLOAD))
      await until(() => connection.stats().framesReceived > 0)
      held.push(connection)
    }
    expect(server.stats().heldBytes).toBeGreaterThanOrEqual(FITS * PAYLOAD.length)
    const [newest, peer] = await Promise.all([accepted(), raw()])
    wait(newest)
    const closed = closing(newest)
    await peer.write(frame(PAYLOAD)).catch(() => {})
    expect(await closed).toMatchObject({ code: 'ERR_FRAME_MEMORY_BUDGET' })
    expect(held.every((connection) => !connection.closed)).toBe(true)
    expect(server.stats().heldBytes).toBeLessThanOrEqual(BUDGET)
    for (const connection of held) connection.destroy()
    await until(() => server.stats().connections === 0)
    expect(server.stats().heldBytes).toBe(0)
  })

  it.each(Object.entries(waiting))(
    '%s: small frames wait as they came, whatever they become',
    async (_who, wait) => {
      const { raw, accepted, server } = await stage(backend, { serialization: 'json' })
      const [connection, peer] = await Promise.all([accepted(), raw()])
      wait(connection)
      // A list of 2,000 objects in 6 KiB of text, 40 times.
      const wire = Buffer.concat(Array(40).fill(frame(`[${Array(2000).fill('{}')}]`)))
      const before = process.memoryUsage().heapUsed
      peer.socket.write(wire)
      // What would be 20,000 objects is there.
      await until(() => server.stats().heldBytes >= 64 * 1024)
      expect(process.memoryUsage().heapUsed - before).toBeLessThan(700_000)
      connection.destroy()
    },
  )

  describe('frames of a peer that has left', () => {
    const two = Buffer.concat([frame(PAYLOAD.subarray(0, 50_000)), frame(PAYLOAD.subarray(0, 60_000))])

    /** Frames wait, and both sides have ended. */
    const leave = async (wait: (connection: Connection<Buffer, Bytes>) => void) => {
      const { server, raw, accepted } = await stage(backend, { memoryBudget: BUDGET })
      const [connection, peer] = await Promise.all([accepted(), raw()])
      wait(connection)
      await peer.write(two)
      await until(() => connection.stats().framesReceived === 2)
      connection.end()
      peer.socket.end()
      await until(() => server.stats().connections === 0)
      return server
    }

    it.each(Object.entries(readers))('%s: count until they are read', async (_who, open) => {
      let source!: AsyncIterator<Buffer>
      const server = await leave((connection) => {
        source = open(connection)[Symbol.asyncIterator]()
      })
      expect(server.stats().heldBytes).toBeGreaterThan(50_000)
      const sizes: number[] = []
      for (let next = await source.next(); !next.done; next = await source.next())
        sizes.push(next.value.length)
      expect(sizes).toEqual([50_000, 60_000])
      expect(server.stats().heldBytes).toBe(0)
    })

    it('count no more when nobody can read them: their Duplex is destroyed', async () => {
      let duplex!: Duplex
      const server = await leave((connection) => {
        duplex = connection.toDuplex()
      })
      expect(server.stats().heldBytes).toBeGreaterThan(110_000)
      duplex.destroy()
      await until(() => duplex.closed)
      expect(server.stats().heldBytes).toBe(0)
    })

    it('count while somebody may still ask for them, and no longer', async () => {
      const server = await leave((connection) => void connection[Symbol.asyncIterator]())
      expect(server.stats().heldBytes).toBeGreaterThan(110_000)
      await until(() => {
        collectGarbage()
        return server.stats().heldBytes === 0
      })
    })
  })

  it.each(Object.entries(readers))(
    '%s gets nothing more of a connection that is over the budget',
    async (_who, open) => {
      const { raw, accepted } = await stage(backend, { memoryBudget: 150_000 })
      const [connection, peer] = await Promise.all([accepted(), raw()])
      const source = open(connection)[Symbol.asyncIterator]()
      const closed = closing(connection)
      // What is read first keeps nothing waiting; 50,000 bytes wait then, and 50,000 more; the next are too many.
      await peer.write(frame('first'))
      expect(String((await source.next()).value)).toBe('first')
      for (let i = 0; i < 40 && !connection.closed; i++) {
        await peer.write(frame(PAYLOAD.subarray(0, 50_000))).catch(() => {})
        await settled()
      }
      expect(await closed).toMatchObject({ code: 'ERR_FRAME_MEMORY_BUDGET' })
      await expect(source.next()).rejects.toMatchObject({ code: 'ERR_FRAME_MEMORY_BUDGET' })
    },
  )

  it('a Duplex has no more ready than what is bounded by bytes', async () => {
    const { server, raw, accepted } = await stage(backend)
    const [connection, peer] = await Promise.all([accepted(), raw()])
    const duplex = connection.toDuplex()
    // Somebody has asked once, and does not go on.
    duplex.once('readable', () => {})
    const sizes = [300_000, 310_000, 320_000]
    peer.socket.end(Buffer.concat(sizes.map((size) => frame(pattern(size)))))
    await until(() => connection.stats().framesReceived >= 2)
    expect(duplex.readableLength).toBe(1)
    // What is ready counts as well.
    expect(server.stats().heldBytes).toBeGreaterThan(610_000)
    expect((await duplex.toArray()).map((payload) => payload.length)).toEqual(sizes)
    await until(() => server.stats().heldBytes === 0)
  })

  it('what a Duplex has ready counts no more when it is destroyed', async () => {
    const { server, raw, accepted } = await stage(backend)
    const [connection, peer] = await Promise.all([accepted(), raw()])
    const duplex = connection.toDuplex()
    duplex.once('readable', () => {})
    await peer.write(frame(PAYLOAD))
    await until(() => duplex.readableLength === 1)
    expect(server.stats().heldBytes).toBeGreaterThanOrEqual(PAYLOAD.length)
    duplex.destroy()
    await until(() => server.stats().heldBytes === 0)
  })

  it('a Duplex that is piped into itself keeps nothing uncounted of a peer that does not read', async () => {
    const { server, raw, accepted } = await stage(backend, { memoryBudget: 8 * BUDGET })
    const [connection, peer] = await Promise.all([accepted(), raw()])
    peer.socket.pause()
    const duplex = connection.toDuplex()
    duplex.on('error', () => {}).pipe(duplex)
    // More than the kernel takes and the high-water mark.
    peer.socket.write(frame(pattern(2_000_000)))
    await until(() => duplex.writableLength === 1)
    for (let i = 0; i < 10; i++) await settled()
    peer.socket.write(Buffer.concat(Array(20).fill(frame(PAYLOAD))))
    await until(() => connection.stats().framesReceived > 2)
    for (let i = 0; i < 20; i++) await settled()
    expect(duplex.writableLength).toBe(1)
    const { bytesReceived, bytesWritten } = connection.stats()
    expect(server.stats().heldBytes).toBeGreaterThanOrEqual(bytesReceived - bytesWritten)
  })

  it('a Duplex takes no more when there is no room for one frame, and drains', async () => {
    const { raw, accepted } = await stage(backend)
    const [connection, peer] = await Promise.all([accepted(), raw()])
    peer.socket.pause()
    const duplex = connection.toDuplex()
    let frames = 1
    while (duplex.write(PAYLOAD)) frames++
    expect(duplex.writableLength).toBe(1)
    const drained = emitted(duplex, 'drain')
    peer.socket.resume()
    await drained
    expect(duplex.write('last')).toBe(true)
    await until(() => peer.received.length === frames * (PAYLOAD.length + 4) + 8)
  })

  it('requests that wait for their turn count until they have had it', async () => {
    const asked = deferred()
    const gate = deferred<string>()
    const { server, raw } = await service(backend, {
      memoryBudget: BUDGET,
      maxPendingRequests: 1,
      onRequest: (payload) => {
        if (payload.length > 10) return `${payload.length}`
        asked.resolve()
        return gate.promise
      },
    })
    const peer = await raw()
    await peer.write(Buffer.concat([frame('first'), frame(PAYLOAD)]))
    await asked.promise
    await until(() => server.stats().heldBytes >= PAYLOAD.length)
    gate.resolve('first')
    const replied = emitted(peer.socket, 'data')
    await replied
    while (peer.received.length < frame('first').length + frame('200000').length)
      await emitted(peer.socket, 'data')
    expect(server.stats().heldBytes).toBe(0)
  })

  it('handlers that are at work have no more in hand than a bounded number of bytes', async () => {
    const gates = Array.from({ length: 4 }, () => deferred<string>())
    let asked = 0
    const { server, raw } = await service(backend, { onRequest: () => gates[asked++].promise })
    const peer = await raw()
    peer.socket.write(Buffer.concat(gates.map((_, i) => frame(pattern(600_000, i)))))
    // The third was read whole, and waits.
    await until(() => asked >= 2 && server.stats().heldBytes >= 600_000)
    for (let i = 0; i < 20; i++) await settled()
    expect(asked).toBe(2)
    gates[0].resolve('0')
    await until(() => asked === 3)
    for (const gate of gates) gate.resolve('')
    await until(() => asked === 4 && server.stats().pendingRequests === 0)
    expect(server.stats().heldBytes).toBe(0)
  })

  describe('requests whose handlers are at work', () => {
    const PEERS = 20
    const ASKED = 1000

    it('have half of the budget: then each connection has one, until there are fewer, and none is lost', async () => {
      const gates: ReturnType<typeof deferred<string>>[] = []
      const { server, raw } = await service(backend, {
        memoryBudget: 4 * BUDGET,
        onRequest: () => {
          const gate = deferred<string>()
          gates.push(gate)
          return gate.promise
        },
      })
      const peers: Awaited<ReturnType<typeof raw>>[] = []
      for (let i = 0; i < PEERS; i++) {
        const peer = await raw()
        peers.push(peer)
        await peer.write(Buffer.concat(Array(ASKED).fill(frame(''))))
      }
      await until(() => gates.length >= 4000)
      for (let i = 0; i < 50; i++) await settled()
      // 512 bytes each, counted 16 at a time; the last connections have one.
      expect(gates.length).toBeLessThanOrEqual(4096 + 16 * 4 + PEERS)
      const { heldBytes, faults } = server.stats()
      expect(faults).toBe(0)
      expect(heldBytes).toBeGreaterThan(1.8 * BUDGET)
      expect(heldBytes).toBeLessThanOrEqual(4 * BUDGET)
      // The first are done: the others get what they had, all at once and not one by one.
      for (const gate of gates.splice(0, 3000)) gate.resolve('')
      await until(() => gates.length >= 4000)
      while (server.stats().requests < PEERS * ASKED) {
        for (const gate of gates.splice(0)) gate.resolve('')
        await settled()
      }
      for (const gate of gates.splice(0)) gate.resolve('')
      await until(() => peers.every(({ received }) => received.length === 4 * ASKED))
      expect(server.stats()).toMatchObject({ heldBytes: 0, faults: 0, pendingRequests: 0 })
    })

    it.each(['stream', 'once'] as const)(
      'count their payloads, and there is none without room (%s)',
      async (exchange) => {
        const gate = deferred<string>()
        let asked = 0
        const { server, raw } = await service(backend, {
          exchange,
          memoryBudget: BUDGET,
          onRequest: () => {
            asked++
            return gate.promise
          },
        })
        const peers: Awaited<ReturnType<typeof raw>>[] = []
        for (let i = 0; i < FITS; i++) {
          const peer = await raw()
          peers.push(peer)
          peer.socket.write(frame(PAYLOAD))
          await until(() => asked === i + 1)
          expect(server.stats().heldBytes).toBeGreaterThanOrEqual(asked * (PAYLOAD.length - 8192))
        }
        const refused = await raw()
        refused.socket.write(frame(PAYLOAD))
        await until(() => server.stats().faults === 1)
        expect(asked).toBe(FITS)
        // Those who leave have left their handlers, and what those have in hand.
        peers[0].socket.destroy()
        refused.socket.destroy()
        for (let i = 0; i < 20; i++) await settled()
        expect(server.stats().heldBytes).toBeGreaterThanOrEqual(FITS * (PAYLOAD.length - 8192))
        gate.resolve('done')
        for (const peer of peers.slice(1)) await until(() => peer.received.includes('done'))
        await until(() => server.stats().heldBytes === 0)
      },
    )

    it('count no more when their connection is gone and nobody can end them', async () => {
      let asked = 0
      let ends: unknown[] = []
      const { server, raw } = await service(backend, {
        memoryBudget: BUDGET,
        onRequest: (_payload, { connection }) => {
          if (++asked % 800 === 0) setImmediate(() => connection.destroy())
          return new Promise<string>((resolve) => ends.push(resolve))
        },
      })
      for (let round = 0; round < 4; round++) {
        const peer = await raw()
        await peer.write(Buffer.concat(Array(800).fill(frame(''))))
        await until(() => asked === 800 * (round + 1))
        await until(() => server.stats().connections === 0)
        expect(server.stats().heldBytes).toBeGreaterThan(800 * 500)
        ends = []
        await until(() => {
          collectGarbage()
          return server.stats().heldBytes === 0
        })
      }
      expect(server.stats().faults).toBe(0)
    })
  })

  it('a server that is closed holds nothing, whoever keeps frames of it', async () => {
    const { server, raw, accepted } = await stage(backend)
    const [connection, peer] = await Promise.all([accepted(), raw()])
    const duplex = connection.toDuplex()
    await peer.write(Buffer.concat(Array(50).fill(frame(pattern(100)))))
    await emitted(duplex, 'readable')
    await until(() => connection.stats().framesReceived === 50)
    peer.socket.destroy()
    await server.close({ timeout: 0 })
    expect(server.stats().heldBytes).toBe(0)
    expect(duplex.read()).toEqual(pattern(100))
    duplex.destroy()
  })

  it('no more handlers are asked in a turn than there is room for replies that wait', async () => {
    let asked = 0
    let most = 0
    const { server, raw } = await service(backend, {
      memoryBudget: BUDGET,
      onRequest: () => {
        most = Math.max(most, server.stats().heldBytes)
        return asked++ === 0 ? new Promise<Buffer>(() => {}) : PAYLOAD
      },
    })
    const peer = await raw()
    await peer.write(Buffer.concat(Array(500).fill(frame('ask'))))
    await until(() => server.stats().faults === 1)
    expect(asked).toBeLessThanOrEqual(FITS + 3)
    expect(most).toBeLessThanOrEqual(BUDGET + PAYLOAD.length)
  })

  it('text that waits counts what it takes, not its characters', async () => {
    let asked = 0
    const { server, raw } = await service(backend, {
      serialization: 'text',
      onRequest: () => (asked++ === 0 ? new Promise<string>(() => {}) : '长'.repeat(10_000)),
    })
    const peer = await raw()
    await peer.write(Buffer.concat(Array(11).fill(frame('ask'))))
    await until(() => asked === 11)
    expect(server.stats().heldBytes).toBeGreaterThanOrEqual(300_000)
  })

  it('replies that wait for their turn count, and go when there is no more room', async () => {
    let asked = 0
    const { server, raw } = await service(backend, {
      memoryBudget: BUDGET,
      // The first is never answered.
      onRequest: () => (asked++ === 0 ? new Promise<Buffer>(() => {}) : PAYLOAD),
    })
    const peer = await raw()
    for (let i = 0; i <= FITS; i++) await peer.write(frame('ask'))
    await until(() => server.stats().heldBytes >= FITS * PAYLOAD.length)
    expect(server.stats().heldBytes).toBeLessThanOrEqual(BUDGET)
    await peer.write(frame('ask'))
    await until(() => server.stats().faults === 1)
    expect(server.stats()).toMatchObject({ heldBytes: 0, pendingRequests: 0 })
    peer.socket.destroy()
    await until(() => server.stats().connections === 0)
  })

  it.each([
    ['half a frame', frame(pattern(900_000)).subarray(0, 800_000)],
    ['a frame that has to wait', Buffer.concat([frame('pause'), frame(PAYLOAD.subarray(0, 50_000))])],
  ])(
    'a peer that does not read goes at once, with what is queued to it, when %s does not fit',
    async (_what, wire) => {
      const { server, raw, accepted } = await stage(backend, { memoryBudget: BUDGET, writeTimeout: 60_000 })
      const [connection, peer] = await Promise.all([accepted(), raw()])
      peer.socket.pause()
      connection.on('frame', () => connection.pause())
      const closed = closing(connection)
      while (connection.stats().bytesQueued < BUDGET - 40_000) await sendSome(connection)
      peer.socket.write(wire)
      expect(await closed).toMatchObject({ code: 'ERR_FRAME_MEMORY_BUDGET' })
      await until(() => server.stats().connections === 0)
      expect(server.stats().heldBytes).toBe(0)
    },
  )

  it('a peer that does not read is read from no further once 16,384 sends wait, and gets them all when it reads', async () => {
    const COUNT = 200_000
    const { raw, accepted } = await stage(backend)
    const [connection, peer] = await Promise.all([accepted(), raw()])
    peer.socket.pause()
    let pending = 0
    let most = 0
    connection.on('frame', () => {
      most = Math.max(most, ++pending)
      const settle = () => pending--
      void connection.sendAsync(Buffer.alloc(20)).then(settle, settle)
    })
    const written = peer.write(Buffer.alloc(4 * COUNT))
    await until(() => pending >= 16_384)
    for (let i = 0; i < 50; i++) await settled()
    // Those that have settled, and have not told so here when the next ones are sent, are counted too.
    expect(most).toBeLessThan(34_000)
    peer.socket.resume()
    await written
    await until(() => peer.socket.bytesRead === 24 * COUNT && pending === 0)
    expect(most).toBeLessThan(34_000)
  })

  it('whoever has sends wait without looking back stops where the budget ends, in the middle of what was read', async () => {
    const PEERS = 20
    const FRAMES = 16_000
    const budget = 256 * 1024
    const { server, raw } = await stage(backend, { memoryBudget: budget })
    let sent = 0
    let settledSends = 0
    let most = 0
    const lost: unknown[] = []
    server.on('connection', (connection) =>
      connection.on('frame', () => {
        sent++
        most = Math.max(most, server.stats().heldBytes)
        connection.sendAsync('').then(
          () => settledSends++,
          (error) => lost.push(error),
        )
      }),
    )
    const peers = await Promise.all(Array.from({ length: PEERS }, raw))
    for (const { socket } of peers) {
      socket.on('error', () => {})
      socket.end(Buffer.alloc(4 * FRAMES))
    }
    await until(() => sent > 0 && server.stats().connections === 0 && settledSends + lost.length === sent)
    expect(server.stats().faults).toBeGreaterThan(0)
    // What a connection is over by is counted until it is closed for that, a moment later.
    expect(most).toBeLessThanOrEqual(budget + PEERS * 8192)
    expect(server.stats().heldBytes).toBe(0)
    for (const error of lost) expect(error).toMatchObject({ code: 'ERR_FRAME_CONNECTION_LOST' })
  })

  it('sends that settle while their connection closes for the budget count no longer', async () => {
    const { server, raw, accepted } = await stage(backend, { memoryBudget: 100_000 })
    const [connection, peer] = await Promise.all([accepted(), raw()])
    peer.socket.pause()
    const closed = closing(connection)
    // Some of them are with the kernel before the connection goes, and nobody has been told of that by then.
    const sends = Array.from({ length: 2000 }, () => connection.sendAsync(Buffer.alloc(200)))
    const fates = Promise.allSettled(sends)
    expect(await closed).toMatchObject({ code: 'ERR_FRAME_MEMORY_BUDGET' })
    await fates
    expect(server.stats()).toMatchObject({ connections: 0, heldBytes: 0 })
    expect(connection.writable).toBe(false)
  })

  it('what peers send to connections that are paused stays with the kernel', async () => {
    const PEERS = 100
    const { raw, accepted } = await stage(backend)
    const peers: Awaited<ReturnType<typeof raw>>[] = []
    for (let i = 0; i < PEERS; i++) {
      const [connection, peer] = await Promise.all([accepted(), raw()])
      connection.on('frame', () => connection.pause())
      await peer.write(frame('pause'))
      await until(() => connection.stats().framesReceived === 1)
      peers.push(peer)
    }
    const before = process.memoryUsage().arrayBuffers
    for (const peer of peers) peer.socket.write(PAYLOAD)
    for (let i = 0; i < 50; i++) await settled()
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(PEERS * 16 * 1024)
  })

  it('peers that have sent a large frame get little ahead of the next, and together no more than half of it all', async () => {
    const MIB = 1024 * 1024
    const SENT = 17 * 1024
    const PEERS = 20
    const { server, raw, accepted } = await stage(backend, { memoryBudget: 16 * MIB })
    const ahead = backend === 'js' ? MIB + 64 : 16 * SENT
    for (let i = 1; i <= PEERS; i++) {
      const [connection, peer] = await Promise.all([accepted(), raw()])
      connection.onBatch(() => {})
      await peer.write(frame(Buffer.alloc(3 * MIB)))
      await peer.write(frame(Buffer.alloc(3 * MIB)).subarray(0, SENT))
      await until(() => connection.stats().bytesReceived === 3 * MIB + 4 + SENT)
      expect(server.stats().heldBytes).toBeLessThanOrEqual(
        Math.min(i * ahead, 8 * MIB + ahead + i * 2 * SENT),
      )
    }
    expect(server.stats()).toMatchObject({ connections: PEERS, faults: 0 })
  })

  describe('streams stop reading by bytes', () => {
    it.each([
      ['toDuplex', (connection: Connection<Buffer, Bytes>) => connection.toDuplex()],
      ['toWeb', (connection: Connection<Buffer, Bytes>) => connection.toWeb().readable],
    ])('%s', async (_name, open) => {
      const { server, raw, accepted } = await stage(backend)
      const [connection, peer] = await Promise.all([accepted(), raw()])
      const source = open(connection)
      const count = 60
      for (let i = 0; i < count; i++) peer.socket.write(frame(PAYLOAD))
      // Long before 64 frames, or they would all be read.
      await until(() => connection.stats().framesReceived >= 2)
      for (let i = 0; i < 50; i++) await settled()
      expect(connection.stats().framesReceived).toBeLessThan(count / 2)
      expect(server.stats().heldBytes).toBeGreaterThan(PAYLOAD.length)
      let got = 0
      for await (const payload of source as AsyncIterable<Buffer>) {
        expect(payload.equals(PAYLOAD)).toBe(true)
        if (++got === count) break
      }
    })
  })
}
