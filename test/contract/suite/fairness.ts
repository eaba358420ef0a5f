/** How much is done for those who send tiny frames before somebody else has their turn: counted in frames, not in time. */
import { once } from 'node:events'
import type { Connection, ServerOptions } from 'framewire'
import { expect, it } from 'vitest'
import { type Backend, frame, stage, until } from './harness.js'

type Bytes = Uint8Array | string
type Echo = (payload: Buffer) => Buffer | undefined

interface Way {
  readonly serve?: (connection: Connection<Buffer, Bytes>, echo: Echo) => unknown
  readonly options?: (echo: Echo) => ServerOptions<Buffer, Bytes>
}

/** Ways to handle frames that go on in microtasks. */
const inMicrotasks: Record<string, Way> = {
  'an async handler': { options: (echo) => ({ onRequest: async (payload) => echo(payload) }) },
  'a for await loop': {
    serve: async (connection, echo) => {
      for await (const payload of connection) {
        const reply = echo(payload)
        if (reply !== undefined) connection.send(reply)
      }
    },
  },
  'a reader of toWeb()': {
    serve: async (connection, echo) => {
      const { readable, writable } = connection.toWeb()
      const writer = writable.getWriter()
      for await (const payload of readable) {
        const reply = echo(payload)
        if (reply !== undefined) await writer.write(reply)
      }
    },
  },
  'pipeTo of toWeb()': {
    serve: (connection, echo) => {
      const { readable } = connection.toWeb()
      const sink = new WritableStream<Buffer>({
        write(payload) {
          const reply = echo(payload)
          if (reply !== undefined) connection.send(reply)
        },
      })
      return readable.pipeTo(sink)
    },
  },
}

/** The time a frame takes does not depend on the machine: turns are shared by time, and what is counted is frames. */
function spend(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

/**
 * Has some peers send empty frames, `count` each, while another one asks again and again. Gives how many of the empty frames were
 * handled between any two answers to that one. Handling one takes `least` ms. A question is `asked`.
 */
async function between(
  backend: Backend,
  way: Way,
  floods: number,
  count: number,
  least = 0,
  asked = 'ping',
): Promise<number[]> {
  let handled = 0
  const marks: number[] = []
  const echo: Echo = (payload) => {
    if (payload.length > 0) {
      marks.push(handled)
      return payload.subarray(0, 4)
    }
    handled++
    if (least > 0) spend(least)
    return undefined
  }
  const { raw, server } = await stage(backend, way.options?.(echo))
  // They end as the test does.
  const serve = async (connection: Connection<Buffer, Bytes>) => way.serve?.(connection, echo)
  server.on('connection', (connection) => void serve(connection).catch(() => {}))
  const flooders = await Promise.all(Array.from({ length: floods }, raw))
  const { socket } = await raw()
  socket.on('data', () => socket.write(frame(asked)))
  socket.write(frame(asked))
  await until(() => marks.length > 2)
  marks.length = 0
  marks.push(handled)
  const wire = Buffer.alloc(4 * count)
  for (const flooder of flooders) flooder.socket.write(wire)
  await until(() => handled === floods * count)
  marks.push(handled)
  return marks.slice(1).map((mark, i) => mark - marks[i])
}

export function fairnessContract(backend: Backend): void {
  it.each(Object.entries(inMicrotasks))('%s lets others in between', async (_name, way) => {
    const gaps = await between(backend, way, 8, 60_000, 0.001)
    expect(gaps.length).toBeGreaterThan(60)
    // Some turns of 4,096, and where it is a handler 1,024 of each connection at first.
    expect(Math.max(...gaps)).toBeLessThan(35_000)
  })

  const listener: Way = {
    serve: (connection, echo) =>
      connection.on('frame', (payload) => {
        const reply = echo(payload)
        if (reply !== undefined) connection.send(reply)
      }),
  }

  const slowListener: Way = {
    serve: (connection, echo) =>
      connection.on('frame', (payload) => {
        spend(0.002)
        const reply = echo(payload)
        if (reply !== undefined) connection.send(reply)
      }),
  }

  it('many who send tiny frames are read from in small pieces', async () => {
    const gaps = await between(backend, listener, 60, 60_000)
    expect(gaps.length).toBeGreaterThan(4)
  })

  it.each([16_000, 60_000])('but not who is in the middle of a frame of %d bytes', async (size) => {
    const gaps = await between(backend, listener, 60, 60_000, 0, 'x'.repeat(size))
    // Of 3,600,000 there are 24,000 in a turn.
    expect(gaps.length).toBeGreaterThan(10)
  })

  it('as are those who never send much at a time', async () => {
    const gaps = await between(backend, slowListener, 60, 16_000)
    // 32 Ki frames, and some of each of the others: all 960,000 are there at once.
    expect(Math.max(...gaps)).toBeLessThan(200_000)
  })

  it('and where memory is too short for all of that to wait', async () => {
    const options = () => ({ memoryBudget: 2 * 1024 * 1024 })
    const gaps = await between(backend, { ...listener, options }, 150, 20_000)
    // Of 3,000,000.
    expect(Math.max(...gaps)).toBeLessThan(500_000)
  })

  it('who connects behind many who send tiny frames is served before most of those are', async () => {
    let handled = 0
    const echo: Echo = (payload) => {
      if (payload.length > 0) return payload
      handled++
      return undefined
    }
    const { raw, server } = await stage(backend)
    server.on('connection', (connection) => void slowListener.serve?.(connection, echo))
    const floods = 40
    const count = 16_000
    const flooders = await Promise.all(Array.from({ length: floods }, raw))
    for (const flooder of flooders) flooder.socket.write(Buffer.alloc(4 * count))
    const { socket } = await raw()
    socket.write(frame('ping'))
    await once(socket, 'data')
    expect(handled).toBeLessThan((floods * count) / 2)
    await until(() => handled === floods * count)
  })

  it('calls of next() that wait for their turn get frames in order, and the end behind them', async () => {
    const { raw, accepted } = await stage(backend)
    const [connection, peer] = await Promise.all([accepted(), raw()])
    const iterator = connection[Symbol.asyncIterator]()
    const count = 5000
    const wanted = Array.from({ length: count }, (_, i) => `${i}`)
    peer.socket.end(Buffer.concat(wanted.map(frame)))
    const first = await iterator.next()
    const results = await Promise.all(Array.from({ length: count + 1 }, () => iterator.next()))
    const got = [first, ...results].flatMap(({ value }) => (value === undefined ? [] : [String(value)]))
    expect(got).toEqual(wanted)
    expect(results.slice(-2).map(({ done }) => done)).toEqual([true, true])
  })
}
