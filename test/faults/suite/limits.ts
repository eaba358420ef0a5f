/** Limits and deadlines under peers that declare, stall, drip and flood. What they cost is measured where they cost it. */
import { once } from 'node:events'
import { connect as connectRaw, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  type Backend,
  closing,
  deferred,
  frame,
  frames,
  pattern,
  type RawPeer,
  settled,
  stage,
  trace,
  until,
} from '../../contract/suite/harness.js'
import { startProgram } from './program.js'

const KIB = 1024
const MIB = 1024 * KIB

function lengthOf(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function limitFaults(backend: Backend): void {
  it('3. a declared length of limit + 1 is refused, earlier frames are delivered, and nothing is set aside', async () => {
    const { raw, accepted, server: owner } = await stage(backend, { maxFrameLength: 16 * MIB })
    const count = 16
    const peers = await Promise.all(Array.from({ length: count }, raw))
    const servers = await Promise.all(Array.from({ length: count }, accepted))
    const stories = servers.map((server) => trace(server))
    const closed = Promise.all(servers.map(closing))
    const bytes = Buffer.concat([frame('a'), frame('b'), lengthOf(16 * MIB + 1), Buffer.alloc(100)])
    const taken = () => process.memoryUsage().arrayBuffers
    const before = taken()
    // When they are refused, and not after what they held was given back: they are heard out until they end.
    let refused = 0
    let held = 0
    for (const server of servers) {
      server.on('error', () => {
        refused++
        held = Math.max(held, owner.stats().heldBytes)
      })
    }
    await Promise.all(peers.map((peer) => peer.write(bytes)))
    await until(() => refused === count)
    expect(taken() - before).toBeLessThan(count * 64 * KIB)
    expect(held).toBeLessThan(64 * KIB)
    expect(owner.stats().connections).toBe(count)
    for (const peer of peers) peer.socket.end()
    expect((await closed).map((error) => ({ ...error, code: error?.code }))).toEqual(
      servers.map(({ id }) =>
        expect.objectContaining({
          code: 'ERR_FRAME_TOO_LARGE',
          declared: 16 * MIB + 1,
          limit: 16 * MIB,
          connectionId: id,
        }),
      ),
    )
    const story = ['frame a', 'frame b', 'error ERR_FRAME_TOO_LARGE', 'close ERR_FRAME_TOO_LARGE']
    expect(stories).toEqual(servers.map(() => story))
    expect(owner.stats().heldBytes).toBe(0)
  })

  it('4. a thousand connections that declare the limit and send nothing more cost less than 64 KiB each', async () => {
    const program = await startProgram('server.mjs', { backend, options: { maxFrameLength: 16 * MIB } })
    const warm = await program.ask<{ rss: number }>('memory')
    const sockets: Socket[] = []
    onTestFinished(() => sockets.forEach((socket) => void socket.destroy()))
    for (let i = 0; i < 1000; i++) {
      const socket = connectRaw(program.path)
      sockets.push(socket)
      socket.write(lengthOf(16 * MIB))
    }
    await program.until('connections', 1000)
    await program.until('bytesReceived', 4000)
    const full = await program.ask<{ rss: number; stats: { heldBytes: number } }>('memory')
    expect(full.stats.heldBytes).toBeLessThan(1000 * KIB)
    expect(full.rss - warm.rss).toBeLessThan(1000 * 64 * KIB)
  })

  it('4. the budget of the server closes the newest offender, and the others go on', async () => {
    const { raw, accepted, server: owner } = await stage(backend, { memoryBudget: 8 * MIB })
    const patient: [RawPeer, ReturnType<typeof trace>][] = []
    for (let i = 0; i < 6; i++) {
      const peer = await raw()
      const server = await accepted()
      patient.push([peer, trace(server)])
      await peer.write(Buffer.concat([lengthOf(MIB), Buffer.alloc(MIB - 1)]))
      await until(() => server.stats().bytesReceived === MIB + 3)
    }
    const offender = await raw()
    const server = await accepted()
    const events = trace(server)
    const closed = closing(server)
    offender.socket.write(Buffer.concat([lengthOf(16 * MIB), Buffer.alloc(10 * MIB)]))
    expect(await closed).toMatchObject({ code: 'ERR_FRAME_MEMORY_BUDGET', limit: 8 * MIB })
    expect(owner.stats().heldBytes).toBeLessThanOrEqual(8 * MIB)
    expect(events).toEqual(['error ERR_FRAME_MEMORY_BUDGET', 'close ERR_FRAME_MEMORY_BUDGET'])
    for (const [peer, told] of patient) {
      await peer.write('x')
      await until(() => told.length > 0)
      expect(told).toEqual([`frame ${MIB} bytes`])
    }
    expect(owner.stats().heldBytes).toBe(0)
  })

  it.each([
    ['uint32be', 'ffffffff', 0xffffffff],
    ['uint32be', '7fffffff', 0x7fffffff],
    ['uint32be', '80000000', 0x80000000],
    ['uint32le', 'ffffffff', 0xffffffff],
    ['uint64be', '0020000000000000', 2 ** 53],
    ['uint64be', '0020000000000003', 2 ** 53 + 4],
    ['uint64be', 'ffffffffffffffff', 2 ** 64],
    ['uint64be', '0000000100000000', 2 ** 32],
    ['uint64le', '011a000000000040', 2 ** 62 + 7168],
    ['varint', 'ffffffffffffff7f', 2 ** 56],
    ['varint', 'ffffffffffffffffff01', 2 ** 64],
  ] as const)('5. a length in %s of %s is too large and wraps nowhere', async (format, bytes, declared) => {
    const { raw, accepted } = await stage(backend, { format, maxFrameLength: Infinity })
    const peer = await raw()
    const server = await accepted()
    const events = trace(server)
    const isWithin = declared <= 2 ** 32 - 65536
    if (isWithin) {
      await peer.write(Buffer.from(bytes, 'hex'))
      await until(() => server.stats().bytesReceived === bytes.length / 2)
      peer.socket.end()
      expect(await closing(server)).toMatchObject({ code: 'ERR_FRAME_TRUNCATED', declared, received: 0 })
      return
    }
    const closed = closing(server)
    await peer.write(Buffer.from(bytes, 'hex'))
    const error = (await closed) as { code?: string; declared?: number } | undefined
    expect(error?.code).toBe('ERR_FRAME_TOO_LARGE')
    expect(error?.declared).toBe(declared)
    expect(events).toEqual(['error ERR_FRAME_TOO_LARGE', 'close ERR_FRAME_TOO_LARGE'])
  })

  it('6. ten million empty frames are counted, and another client is served meanwhile', async () => {
    const { raw, accepted } = await stage(backend)
    const flooder = await raw()
    const flooded = await accepted()
    const total = 10_000_000
    let count = 0
    const all = deferred()
    let served = 0
    let servedMeanwhile = 0
    flooded.onBatch((batch) => {
      count += batch.length
      if (count < total) return
      servedMeanwhile = served
      all.resolve()
    })
    const client = await raw()
    const server = await accepted()
    server.on('frame', (payload) => server.send(payload))
    client.socket.on('data', () => {
      served++
      client.socket.write(frame('ping'))
    })
    client.socket.write(frame('ping'))
    const chunk = Buffer.alloc(4 * 250_000)
    for (let i = 0; i < total / 250_000; i++) await flooder.write(chunk)
    await all.promise
    expect(count).toBe(total)
    expect(servedMeanwhile).toBeGreaterThan(20)
  })

  it('7. a frame of the limit in tiny chunks is copied a bounded number of times and holds at most twice its bytes', async () => {
    const tiny = 64
    const size = 48 * MIB
    const { raw, accepted, server: owner } = await stage(backend, { maxFrameLength: size })
    const peer = await raw()
    const server = await accepted()
    const got = frames(server, 1)
    const payload = pattern(size)
    const stream = frame(payload)
    let sent = 0
    const feed = async (chunk: number) => {
      peer.socket.write(stream.subarray(sent, sent + chunk))
      sent = Math.min(sent + chunk, stream.length)
      // Nothing follows before this was read, so that no two chunks are one.
      for (;;) {
        const { bytesReceived } = server.stats()
        expect(owner.stats().heldBytes).toBeLessThanOrEqual(Math.max(2 * bytesReceived, 64 * KIB))
        if (bytesReceived === sent) return
        await settled()
      }
    }
    for (let i = 0; i < 4096; i++) await feed(tiny)
    await feed(stream.length - sent - 8192 * tiny)
    // All that is there moved again for each of these would be 400 GB, which no test has the time for.
    while (sent < stream.length) await feed(tiny)
    expect((await got)[0].equals(payload)).toBe(true)
    expect(owner.stats().heldBytes).toBe(0)
  })

  describe('8. a peer that stalls is closed at the deadline, with its code, and leaves nothing behind', () => {
    it.each([
      ['three bytes of a header', { headerTimeout: 100 }, frame('12345').subarray(0, 3), 'HEADER', 3],
      ['all but the last byte of a body', { bodyTimeout: 100 }, frame('12345').subarray(0, 8), 'BODY', 4],
      ['nothing', { firstByteTimeout: 100 }, Buffer.alloc(0), 'FIRST_BYTE', undefined],
      ['whole frames only', { idleTimeout: 100 }, frame('12345'), 'IDLE', undefined],
    ] as const)('%s', async (_name, options, bytes, kind, received) => {
      const { raw, accepted, server: owner } = await stage(backend, options)
      const peer = await raw()
      const server = await accepted()
      const events = trace(server)
      const closed = closing(server)
      if (bytes.length > 0) await peer.write(bytes)
      const error = (await closed) as { received?: number } | undefined
      const code = `ERR_FRAME_${kind}_TIMEOUT`
      const before = kind === 'IDLE' ? ['frame 12345'] : []
      expect(events).toEqual([...before, `error ${code}`, `close ${code}`])
      expect(error?.received).toBe(received)
      await until(() => owner.stats().connections === 0)
      expect(owner.stats().heldBytes).toBe(0)
    })

    // It drips without an end, so that only the deadline can close: what is put off is put off for ever.
    it.each([
      [
        'header',
        { headerTimeout: 200, format: { lengthBytes: 4, lengthOffset: 60_000 } },
        Buffer.alloc(1),
        0,
      ],
      ['body', { bodyTimeout: 200 }, lengthOf(1_000_000), 4],
    ] as const)('bytes that drip into a %s do not put it off', async (kind, options, first, headerBytes) => {
      const { raw, accepted, server: owner } = await stage(backend, options)
      const peer = await raw()
      const server = await accepted()
      const events = trace(server)
      let failure: { received?: number; limit?: number } | undefined
      server.on('error', (error) => {
        failure = error as typeof failure
      })
      await peer.write(first)
      let sent = first.length
      await until(() => server.stats().bytesReceived === sent)
      // A byte, and another as soon as that one was read, for as long as it is listened to.
      while (failure === undefined) {
        peer.socket.write('\0')
        sent++
        await until(() => failure !== undefined || server.stats().bytesReceived === sent)
      }
      const code = `ERR_FRAME_${kind.toUpperCase()}_TIMEOUT`
      peer.socket.end()
      await until(() => events.length === 2)
      expect(events).toEqual([`error ${code}`, `close ${code}`])
      expect(failure.limit).toBe(200)
      expect(failure.received).toBeGreaterThan(first.length - headerBytes)
      await until(() => owner.stats().connections === 0)
      expect(owner.stats().heldBytes).toBe(0)
    })
  })

  describe('13. a reader that never reads', () => {
    const others = async (options: object, code: string, size: number) => {
      const { raw, accepted, server: owner } = await stage(backend, options)
      const reader = await raw()
      const served = await accepted()
      served.on('frame', (payload) => served.send(payload))
      const deaf = await raw()
      const server = await accepted()
      deaf.socket.pause()
      server.onBatch(() => {})
      const closed = closing(server)
      let isOver = false
      void closed.then(() => {
        isOver = true
      })
      let rounds = 0
      while (!isOver) {
        if (server.stats().bytesQueued < size) server.send(Buffer.alloc(64 * KIB))
        await reader.write(frame('ping'))
        await until(() => reader.received.length === 8 * (rounds + 1))
        rounds++
      }
      expect(await closed).toMatchObject({ code })
      expect(rounds).toBeGreaterThan(0)
      await until(() => owner.stats().heldBytes === 0)
      await reader.write(frame('ping'))
      await until(() => reader.received.length === 8 * (rounds + 1))
    }

    it('is closed at writeTimeout, and the others are unaffected', () =>
      others({ writeTimeout: 100 }, 'ERR_FRAME_WRITE_TIMEOUT', 512 * KIB))

    it('is closed at the budget, and the others are unaffected', () =>
      others({ memoryBudget: 2 * MIB }, 'ERR_FRAME_MEMORY_BUDGET', Infinity))

    const bounds = [
      ['writeTimeout', { writeTimeout: 100 }, 'ERR_FRAME_WRITE_TIMEOUT'],
      ['the budget', { memoryBudget: 2 * MIB }, 'ERR_FRAME_MEMORY_BUDGET'],
    ] as const

    it.each(bounds)('is closed at %s when it was at fault before, and floods', async (_name, options) => {
      const answer = deferred<Buffer>()
      const { raw, server } = await stage(backend, {
        ...options,
        onRequest: (payload) => (String(payload) === 'big' ? answer.promise : new Promise(() => {})),
      })
      const peer = await raw()
      peer.socket.pause()
      await peer.write(Buffer.concat([frame('big'), frame('never answered'), lengthOf(0xffffffff)]))
      await until(() => server.stats().faults === 1)
      answer.resolve(Buffer.alloc(8 * MIB))
      const flood = setInterval(() => peer.socket.write(Buffer.alloc(64 * KIB)), 5)
      onTestFinished(() => clearInterval(flood))
      await until(() => server.stats().connections === 0)
      expect(server.stats()).toMatchObject({ heldBytes: 0, pendingRequests: 0 })
    })

    it.each(bounds)(
      'is closed at %s, whatever handlers are still at work for it',
      async (_name, options, code) => {
        const { raw, server } = await stage(backend, {
          ...options,
          onRequest: (payload) => (String(payload) === 'big' ? Buffer.alloc(8 * MIB) : new Promise(() => {})),
        })
        const peer = await raw()
        peer.socket.pause()
        await peer.write(Buffer.concat([frame('never answered'), frame('big')]))
        const other = await raw()
        other.socket.pause()
        await other.write(Buffer.concat([frame('big'), frame('never answered')]))
        if (code === 'ERR_FRAME_MEMORY_BUDGET') {
          await until(() => server.stats().connections === 0)
          expect(server.stats().heldBytes).toBe(0)
          return
        }
        // Nothing of the first one's is queued: its reply waits for its turn.
        await until(() => server.stats().connections === 1)
        expect(server.stats().heldBytes).toBeGreaterThanOrEqual(8 * MIB)
        expect(server.stats().heldBytes).toBeLessThan(8 * MIB + 1024)
      },
    )

    it.each(bounds)(
      'is closed at %s while it is being closed, and that is told',
      async (_name, options, code) => {
        const { raw, accepted, server: owner } = await stage(backend, options)
        const peer = await raw()
        peer.socket.pause()
        const server = await accepted()
        const events = trace(server)
        server.send(Buffer.alloc(8 * MIB))
        await server.close({ timeout: 60_000 })
        expect(events).toEqual([`error ${code}`, `close ${code}`])
        expect(owner.stats().heldBytes).toBe(0)
      },
    )
  })

  it('connections over maxConnections are turned away, counted and told of, in any number', async () => {
    const { server, path, accepted } = await stage(backend, { maxConnections: 10 })
    let dropped = 0
    server.on('drop', ({ reason, count }) => {
      expect(reason).toBe('limit')
      dropped += count
    })
    const sockets = Array.from({ length: 200 }, () => connectRaw(path))
    onTestFinished(() => sockets.forEach((socket) => void socket.destroy()))
    await until(() => dropped === 190)
    expect(server.stats()).toMatchObject({ connections: 10, accepted: 10, dropped: 190 })
    const ten = await Promise.all(Array.from({ length: 10 }, () => accepted()))
    for (const connection of ten) connection.destroy()
    await until(() => server.stats().connections === 0)
    const late = connectRaw(path)
    onTestFinished(() => void late.destroy())
    await once(late, 'connect')
    late.write(frame('now'))
    expect(String((await frames(await accepted(), 1))[0])).toBe('now')
  })
}
