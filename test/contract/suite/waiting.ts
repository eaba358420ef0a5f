/** Frames that were read and wait for a consumer, and how a connection ends meanwhile. */
import { once } from 'node:events'
import type { Connection, ServerOptions } from 'framewire'
import { describe, expect, it } from 'vitest'
import { type Backend, closing, collect, frame, settled, stage, trace, until } from './harness.js'

type AnyConnection = Connection<Buffer, Uint8Array | string>

/** Three frames in one write: they arrive as one batch. */
const three = Buffer.concat(['a', 'b', 'c'].map(frame))
/** More than any consumer takes at once. */
const many = Buffer.concat(Array(60_000).fill(frame('x')))
/** Declares more than anybody allows. */
const tooLarge = Buffer.from([255, 255, 255, 255])

/** Ways not to take what was read. */
const holding: Record<string, (connection: AnyConnection) => void> = {
  'a paused connection': (connection) => connection.on('frame', () => connection.pause()),
  'a connection without a consumer': () => {},
  'a loop that is busy': (connection) => void connection[Symbol.asyncIterator]().next(),
  'a Duplex that is not read': (connection) => connection.toDuplex().on('error', () => {}),
}

/** Every way to choose a consumer late: gives `count` payloads, and how it ended for ways that learn of it. */
const latecomers: Record<string, (connection: AnyConnection, count: number) => Promise<[string[], unknown]>> =
  {
    "on('frame')": (connection, count) => {
      const got: string[] = []
      return new Promise((resolve) => {
        connection.on('frame', (payload) => {
          got.push(String(payload))
          if (got.length === count) resolve([got, undefined])
        })
      })
    },
    onBatch: (connection, count) => {
      const got: string[] = []
      return new Promise((resolve) => {
        connection.onBatch((batch) => {
          for (let i = 0; i < batch.length; i++) got.push(batch.text(i))
          if (got.length === count) resolve([got, undefined])
        })
      })
    },
    'for await': (connection) => collect(connection),
    toDuplex: (connection) => collect(connection.toDuplex()),
    toWeb: (connection) => collect(connection.toWeb().readable),
  }

/** A connection in whose hands frames are, and whose peer is gone: the next thing that is sent will tell. */
async function abandoned(
  backend: Backend,
  prepare: (connection: AnyConnection) => void,
  bytes = three,
  options: ServerOptions<Buffer, Uint8Array | string> = {},
) {
  const { server, raw, accepted } = await stage(backend, options)
  const peer = await raw()
  const connection = await accepted()
  prepare(connection)
  // Not all of it need be taken.
  peer.socket.write(bytes)
  await until(() => connection.stats().framesReceived >= 3)
  peer.socket.destroy()
  await peer.closed()
  return { server, connection }
}

/** Makes a connection notice that its peer is gone. Settles when its descriptor is closed. */
async function notice({ server, connection }: Awaited<ReturnType<typeof abandoned>>): Promise<void> {
  connection.send('is anybody there')
  await until(() => server.stats().connections === 0)
}

function pausing(events: string[][]) {
  return (connection: AnyConnection) => {
    events.push(trace(connection))
    connection.once('frame', () => connection.pause())
  }
}

export function waitingContract(backend: Backend): void {
  describe.each(Object.entries(holding))('%s', (_name, hold) => {
    const prepare = async (options: ServerOptions<Buffer, Uint8Array | string>) => {
      const { server, raw, accepted } = await stage(backend, options)
      const peer = await raw()
      peer.socket.pause()
      const connection = await accepted()
      const events = trace(connection, { consume: false })
      hold(connection)
      peer.socket.write(many)
      await until(() => connection.stats().framesReceived > 0)
      return { server, peer, connection, events }
    }

    it('is closed when its peer does not read what it is sent', async () => {
      const { server, connection, events } = await prepare({ writeTimeout: 80 })
      const closed = closing(connection)
      const settled = Promise.allSettled([connection.sendAsync(Buffer.alloc(4_000_000))])
      expect(await closed).toMatchObject({ code: 'ERR_FRAME_WRITE_TIMEOUT', connectionId: connection.id })
      await settled
      expect(events).toEqual(['error ERR_FRAME_WRITE_TIMEOUT', 'close ERR_FRAME_WRITE_TIMEOUT'])
      expect(server.stats()).toMatchObject({ connections: 0, faults: 1, heldBytes: 0 })
    })

    it('is closed when what it is sent goes over the budget', async () => {
      const { server, connection, events } = await prepare({ memoryBudget: 3_000_000 })
      const closed = closing(connection)
      const push = setInterval(() => connection.send(Buffer.alloc(500_000)), 1)
      const error = await closed
      clearInterval(push)
      expect(error).toMatchObject({ code: 'ERR_FRAME_MEMORY_BUDGET' })
      expect(events).toEqual(['error ERR_FRAME_MEMORY_BUDGET', 'close ERR_FRAME_MEMORY_BUDGET'])
      expect(server.stats()).toMatchObject({ connections: 0, faults: 1, heldBytes: 0 })
    })
  })

  it('delivers nothing more of a connection that was closed because its peer does not read', async () => {
    const { raw, accepted } = await stage(backend, { writeTimeout: 80 })
    const peer = await raw()
    peer.socket.pause()
    const connection = await accepted()
    const events: string[][] = []
    pausing(events)(connection)
    await peer.write(three)
    await until(() => connection.stats().framesReceived === 3)
    const closed = closing(connection)
    connection.send(Buffer.alloc(4_000_000))
    await closed
    connection.resume()
    await settled()
    expect(events).toEqual([['frame a', 'error ERR_FRAME_WRITE_TIMEOUT', 'close ERR_FRAME_WRITE_TIMEOUT']])
  })

  it('keeps a protocol error behind frames that wait', async () => {
    const { server, raw, accepted } = await stage(backend)
    const peer = await raw()
    const connection = await accepted()
    const events: string[][] = []
    pausing(events)(connection)
    await peer.write(Buffer.concat([three, tooLarge]))
    await until(() => connection.stats().framesReceived === 3)
    await settled()
    expect(events).toEqual([['frame a']])
    expect(connection.writable).toBe(true)
    const closed = closing(connection)
    connection.resume()
    expect(await closed).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE' })
    expect(events).toEqual([
      ['frame a', 'frame b', 'frame c', 'error ERR_FRAME_TOO_LARGE', 'close ERR_FRAME_TOO_LARGE'],
    ])
    expect(server.stats().faults).toBe(1)
  })

  it('bounds what is queued behind a protocol error that waits, too', async () => {
    const { server, raw, accepted } = await stage(backend, { writeTimeout: 80 })
    const peer = await raw()
    peer.socket.pause()
    const connection = await accepted()
    const events: string[][] = []
    pausing(events)(connection)
    await peer.write(Buffer.concat([three, tooLarge]))
    await until(() => connection.stats().framesReceived === 3)
    await Promise.allSettled([connection.sendAsync(Buffer.alloc(4_000_000))])
    await until(() => server.stats().connections === 0)
    // The queue is gone; the frames wait on.
    expect(server.stats().faults).toBe(1)
    expect(server.stats().heldBytes).toBeLessThan(1000)
    const closed = closing(connection)
    connection.resume()
    await closed
    expect(server.stats().heldBytes).toBe(0)
    expect(events[0].filter((event) => event !== 'drain')).toEqual([
      'frame a',
      'frame b',
      'frame c',
      'error ERR_FRAME_TOO_LARGE',
      'close ERR_FRAME_TOO_LARGE',
    ])
  })

  describe('of a connection that is lost', () => {
    it('come first for who resumes, then the error and the close', async () => {
      const events: string[][] = []
      const gone = await abandoned(backend, pausing(events))
      const { connection } = gone
      const lost = connection.sendAsync(Buffer.alloc(100_000)).catch((error) => error)
      expect(await lost).toMatchObject({ code: 'ERR_FRAME_CONNECTION_LOST' })
      await notice(gone)
      expect([connection.closed, connection.writable]).toEqual([false, false])
      const closed = closing(connection)
      connection.resume()
      expect(await closed).toMatchObject({ code: 'ERR_FRAME_CONNECTION_LOST' })
      expect(events[0].filter((event) => event !== 'drain')).toEqual([
        'frame a',
        'frame b',
        'frame c',
        'error ERR_FRAME_CONNECTION_LOST',
        'close ERR_FRAME_CONNECTION_LOST',
      ])
    })

    it("come to who has paused until 'drain'", async () => {
      const got: string[] = []
      const gone = await abandoned(backend, (connection) => {
        connection.on('frame', (payload) => {
          got.push(String(payload))
          if (connection.send(Buffer.alloc(400_000))) return
          connection.pause()
          connection.once('drain', () => connection.resume())
        })
      })
      const closed = closing(gone.connection)
      expect(await closed).toMatchObject({ code: 'ERR_FRAME_CONNECTION_LOST' })
      expect(got).toEqual(['a', 'b', 'c'])
    })

    it.each(['for await', 'toDuplex', 'toWeb'])('come to a slow %s', async (how) => {
      const bytes = Buffer.concat(Array.from({ length: 30_000 }, (_, i) => frame(String(i))))
      let reading: Promise<[string[], unknown]> | undefined
      const gone = await abandoned(
        backend,
        (connection) => {
          reading = latecomers[how](connection, 0)
        },
        bytes,
      )
      const closed = closing(gone.connection)
      await notice(gone)
      await closed
      const received = gone.connection.stats().framesReceived
      expect(await reading).toEqual([
        Array.from({ length: received }, (_, i) => String(i)),
        'ERR_FRAME_CONNECTION_LOST',
      ])
    })

    it('are kept when who has paused wants only the next one', async () => {
      const gone = await abandoned(backend, (connection) => {
        connection.once('frame', () => {
          connection.pause()
          connection.once('frame', () => {})
        })
      })
      await notice(gone)
      const closed = closing(gone.connection)
      gone.connection.resume()
      expect(await closed).toMatchObject({ code: 'ERR_FRAME_CONNECTION_LOST' })
      expect(String((await once(gone.connection, 'frame'))[0])).toBe('c')
    })

    it.each(['close', 'destroy', 'server.close'])('do not keep it from being closed by %s()', async (how) => {
      const events: string[][] = []
      const gone = await abandoned(backend, pausing(events))
      await notice(gone)
      const { server, connection } = gone
      const closed = closing(connection)
      if (how === 'close') await connection.close({ timeout: 10_000 })
      else if (how === 'server.close') await server.close({ timeout: 50 })
      else connection.destroy()
      if (how !== 'destroy') expect(connection.closed).toBe(true)
      expect(await closed).toMatchObject({ code: 'ERR_FRAME_CONNECTION_LOST' })
      connection.resume()
      await connection.close()
      connection.destroy()
      await settled()
      expect(events[0].filter((event) => event !== 'drain')).toEqual([
        'frame a',
        'error ERR_FRAME_CONNECTION_LOST',
        'close ERR_FRAME_CONNECTION_LOST',
      ])
    })

    it('are nobody’s when they are requests', async () => {
      let answer: (() => void) | undefined
      const gone = await abandoned(backend, () => {}, many, {
        maxPendingRequests: 1,
        onRequest: () =>
          new Promise<string>((resolve) => {
            answer = () => resolve('late')
          }),
      })
      const closed = closing(gone.connection)
      answer?.()
      expect(await closed).toMatchObject({ code: 'ERR_FRAME_CONNECTION_LOST' })
      expect(gone.server.stats()).toMatchObject({ connections: 0, pendingRequests: 0 })
    })
  })

  it('tells of the close of a connection that was paused when its peer ended', async () => {
    const { server, raw, accepted } = await stage(backend)
    const peer = await raw()
    const connection = await accepted()
    const events = trace(connection)
    connection.pause()
    connection.end()
    await peer.ended()
    peer.socket.destroy()
    await peer.closed()
    await connection.close({ timeout: 10_000 })
    expect([events, server.stats().connections]).toEqual([['close'], 0])
  })

  describe('and a consumer that comes late', () => {
    it.each(Object.entries(latecomers))('are delivered to %s after the close', async (how, consume) => {
      const gone = await abandoned(backend, () => {})
      const events = trace(gone.connection, { consume: false })
      const closed = closing(gone.connection)
      await notice(gone)
      await closed
      const [got, code] = await consume(gone.connection, 3)
      expect(got).toEqual(['a', 'b', 'c'])
      expect(code).toBe(how.startsWith('on') ? undefined : 'ERR_FRAME_CONNECTION_LOST')
      await settled()
      expect(events).toEqual(['error ERR_FRAME_CONNECTION_LOST', 'close ERR_FRAME_CONNECTION_LOST'])
    })

    it.each(Object.entries(latecomers))('are delivered to %s after a clean end', async (_how, consume) => {
      const { raw, accepted } = await stage(backend)
      const peer = await raw()
      const connection = await accepted()
      connection.end('hello')
      await peer.write(three)
      await until(() => connection.stats().framesReceived === 3)
      await peer.ended()
      peer.socket.end()
      await peer.closed()
      expect(await consume(connection, 3)).toEqual([['a', 'b', 'c'], undefined])
    })

    it('are delivered to a listener that wants one at a time', async () => {
      const gone = await abandoned(backend, (connection) => connection.once('frame', () => {}))
      const closed = closing(gone.connection)
      await notice(gone)
      await closed
      expect(String((await once(gone.connection, 'frame'))[0])).toBe('b')
      expect(String((await once(gone.connection, 'frame'))[0])).toBe('c')
    })

    it.each(['destroy', 'close'] as const)('are let go of by %s()', async (method) => {
      const gone = await abandoned(backend, () => {})
      const closed = closing(gone.connection)
      await notice(gone)
      await closed
      await gone.connection[method]()
      expect(await collect(gone.connection)).toEqual([[], 'ERR_FRAME_CONNECTION_LOST'])
    })

    it('are still there after pause() and resume()', async () => {
      const { raw, accepted } = await stage(backend)
      const peer = await raw()
      const connection = await accepted()
      await peer.write(three)
      await until(() => connection.stats().framesReceived === 3)
      connection.pause()
      connection.resume()
      await settled()
      peer.socket.end()
      expect(await collect(connection)).toEqual([['a', 'b', 'c'], undefined])
    })
  })
}
