/**
 * Borrowed batches and payloads of one's own: until when a batch can be used, and that nothing of another connection is
 * reached through either.
 */
import { createRequire } from 'node:module'
import { MessageChannel } from 'node:worker_threads'
import { backendInfo, type Connection, connect, type FrameBatch } from 'framewire'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Backend, collectGarbage, frame, frames, pattern, stage, uncaught, until } from './harness.js'

const withCode = (code: string) => expect.objectContaining({ code })
const expired = withCode('ERR_FRAME_BATCH_EXPIRED')

/** Settles with what `use` makes of the next batch. */
function nextBatch<T>(connection: Connection, use: (batch: FrameBatch) => T): Promise<T> {
  return new Promise((resolve) => connection.onBatch((batch) => resolve(use(batch))))
}

/** Asks for all of it that a batch gives. */
function expectExpired(batch: FrameBatch, connection: Connection): void {
  for (const method of ['copy', 'view', 'text', 'json'] as const)
    expect(() => batch[method](0)).toThrow(expired)
  expect(() => batch.copyAll()).toThrow(expired)
  expect(() => [...batch]).toThrow(expired)
  expect(() => connection.sendFrom(batch, 0)).toThrow(expired)
  expect([batch.length, batch.bytes.length, batch.bytes.buffer.byteLength]).toEqual([0, 0, 0])
  expect([batch.start(0), batch.end(0)]).toEqual([undefined, undefined])
}

export function borrowingContract(backend: Backend): void {
  describe('a batch that was kept', () => {
    it('does not come alive with the frames of another connection', async () => {
      const { pair } = await stage(backend)
      const [first, firstServer] = await pair()
      const [second, secondServer] = await pair()
      first.send('from the first')
      const kept = await nextBatch(firstServer, (batch) => batch)
      expectExpired(kept, firstServer)
      second.send('secret of the second')
      const seen = nextBatch(secondServer, (batch) => {
        expectExpired(kept, secondServer)
        return batch.text(0)
      })
      expect(await seen).toBe('secret of the second')
    })

    it('is over when its callback has thrown', async () => {
      const { pair } = await stage(backend)
      const [client, server] = await pair()
      let kept: FrameBatch | undefined
      const errors = await uncaught(1, () => {
        server.onBatch((batch) => {
          kept = batch
          throw new Error('the callback')
        })
        client.send('x')
      })
      expect(errors).toEqual([new Error('the callback')])
      expectExpired(kept as FrameBatch, server)
    })

    it('is over too when its frames had been waiting for a consumer', async () => {
      const { pair } = await stage(backend)
      const [client, server] = await pair()
      client.send('early')
      await until(() => server.stats().framesReceived >= 1)
      expectExpired(await nextBatch(server, (batch) => batch), server)
    })

    it('fails a loop that goes on behind the callback, and does not end it as if that were all', async () => {
      const { raw, accepted } = await stage(backend)
      const peer = await raw()
      const server = await accepted()
      const rest = nextBatch(server, (batch) => {
        const payloads = batch[Symbol.iterator]()
        expect(String(payloads.next().value)).toBe('a')
        return payloads
      })
      await peer.write(Buffer.from([0, 0, 0, 1, 97, 0, 0, 0, 1, 98]))
      const payloads = await rest
      expect(() => payloads.next()).toThrow(expired)
    })
  })

  describe('sendFrom', () => {
    it.each(['x', '0', 0.5, 1, -1, 2 ** 32, Number.NaN, undefined, null, {}])(
      'has no frame %j, and sends nothing',
      async (i) => {
        const { pair } = await stage(backend)
        const [client, server] = await pair()
        client.send('only')
        await nextBatch(server, (batch) =>
          expect(() => server.sendFrom(batch, i as number)).toThrow(RangeError),
        )
        expect(server.stats()).toMatchObject({ framesSent: 0, bytesAccepted: 0, bytesQueued: 0 })
        const got = frames(client, 1)
        await server.sendAsync('next')
        expect((await got).map(String)).toEqual(['next'])
      },
    )

    it('never sends what lies between two frames', async () => {
      const { pair, raw, accepted } = await stage(backend)
      const [client, server] = await pair()
      const arrived = frames(server, 2)
      client.send('a secret of somebody else')
      client.send('and another')
      await arrived
      const peer = await raw()
      const asking = await accepted()
      asking.onBatch((batch) => {
        for (let i = 0.25; i < batch.length; i += 0.25)
          if (i % 1 > 0) expect(() => asking.sendFrom(batch, i)).toThrow(RangeError)
        asking.end('done')
      })
      await peer.write(Buffer.from([0, 0, 0, 1, 97, 0, 0, 0, 1, 98]))
      expect(String(await peer.ended())).toBe('\0\0\0\x04done')
    })

    it.each([undefined, null, 5, 'batch', {}, [Buffer.alloc(1)], Buffer.alloc(1)])(
      'refuses %j as a batch, in a callback and outside of one',
      async (wrong) => {
        const { pair } = await stage(backend)
        const [client, server] = await pair()
        const refused = () => {
          const send = () => server.sendFrom(wrong as unknown as FrameBatch, 0)
          expect(send).toThrow(TypeError)
          expect(send).toThrow(withCode('ERR_FRAME_OPTION_INVALID'))
        }
        refused()
        client.send('x')
        await nextBatch(server, refused)
        refused()
        expect(server.stats().framesSent).toBe(0)
      },
    )
  })

  describe('frames of a batch, handed to a connection that knows nothing of their memory', () => {
    const other = backend === 'js' ? 'native' : 'js'
    const copy = createRequire(import.meta.url)('framewire') as typeof import('framewire')
    const isThere = backendInfo().backend === 'native'
    const ways = {
      sendFrom: (to: Connection, batch: FrameBatch, i: number) => to.sendFrom(batch, i),
      'send of a view': (to: Connection, batch: FrameBatch, i: number) => to.send(batch.view(i)),
    }
    const takers = {
      'of the other backend': { connect, backend: other },
      'of another copy of the package': { connect: copy.connect, backend },
      'of the other backend in another copy': { connect: copy.connect, backend: other },
    } as const
    const cases = Object.keys(takers).flatMap((taker) =>
      Object.keys(ways).flatMap((way) =>
        [17_000, 60_000, 200_000].map((size) => [taker, way, size] as const),
      ),
    ) as [keyof typeof takers, keyof typeof ways, number][]
    it.skipIf(!isThere).each(cases)(
      'arrive as they were: %s, %s, %i bytes each',
      async (taker, way, size) => {
        const { raw, accepted } = await stage(backend)
        const sink = await stage(backend)
        const { connect: open, backend: target } = takers[taker]
        const out = await open({ ...sink.place, backend: target, highWaterMark: 64 * 1024 * 1024 })
        onTestFinished(() => void out.destroy())
        const late = await sink.accepted()
        late.pause()
        const sent = Array.from({ length: Math.ceil(8_000_000 / size) }, (_, i) => pattern(size, i + 1))
        const peer = await raw()
        const server = await accepted()
        let count = 0
        server.onBatch((batch) => {
          for (let i = 0; i < batch.length; i++, count++) ways[way](out, batch, i)
        })
        for (const payload of sent) await peer.write(frame(payload))
        await until(() => count === sent.length)
        const got = frames(late, sent.length)
        late.resume()
        for (const [i, payload] of (await got).entries())
          expect(payload.equals(sent[i]), `frame ${i}`).toBe(true)
      },
    )
  })

  describe('payloads that are kept', () => {
    const SIZES = [0, 1, 64, 1000, 4096, 5000, 8192, 16_384, 30_000, 65_536, 70_000]
    const payloadOf = (from: number, i: number) => pattern(SIZES[(from + i) % SIZES.length], 100 * from + i)

    /** What `from` sends: frames that fill reads, of one size after the other. */
    const ROUNDS = 40
    async function sendAll(client: Connection, from: number): Promise<void> {
      for (let i = 0; i < ROUNDS * SIZES.length; i++) {
        if (!client.send(payloadOf(from, i)) && i % 7 === 0)
          await new Promise((resolve) => client.once('drain', resolve))
      }
      await client.sendAsync('end')
    }

    function check(kept: Buffer[], from: number): void {
      expect(String(kept.at(-1))).toBe('end')
      expect(kept.length).toBe(ROUNDS * SIZES.length + 1)
      for (const [i, payload] of kept.slice(0, -1).entries())
        expect(payload.equals(payloadOf(from, i)), `frame ${i} of ${from}`).toBe(true)
    }

    const consumers: Record<string, (server: Connection, keep: (payload: Buffer) => void) => void> = {
      "on('frame')": (server, keep) => void server.on('frame', keep),
      'batch.copy': (server, keep) =>
        void server.onBatch((batch) => {
          for (let i = 0; i < batch.length; i++) keep(batch.copy(i))
        }),
      'batch.copyAll': (server, keep) => void server.onBatch((batch) => batch.copyAll().forEach(keep)),
      'for await': async (server, keep) => {
        for await (const payload of server) keep(payload)
      },
    }
    it.each(Object.keys(consumers))('stay as they are, whatever is read behind them: %s', async (mode) => {
      const { pair } = await stage(backend)
      // One after the other: over TCP who connects first is not always accepted first.
      const pairs = [await pair(), await pair(), await pair()]
      const kept = pairs.map((): Buffer[] => [])
      const done = pairs.map(
        ([, server], from) =>
          new Promise<void>((resolve) =>
            consumers[mode](server, (payload) => {
              kept[from].push(payload)
              if (String(payload.subarray(0, 4)) === 'end') resolve()
            }),
          ),
      )
      await Promise.all(pairs.map(([client], from) => sendAll(client, from)))
      await Promise.all(done)
      for (const [from, payloads] of kept.entries()) check(payloads, from)
    })

    it('beside frames that are forwarded, looked at, and sent back to a peer that reads late', async () => {
      const { pair } = await stage(backend, { highWaterMark: 64 * 1024 * 1024 })
      const [client, server] = await pair()
      const kept: Buffer[] = []
      const forwarded: Buffer[] = []
      client.on('frame', (payload) => void forwarded.push(payload))
      client.pause()
      const got = new Promise<void>((resolve) =>
        server.onBatch((batch) => {
          for (let i = 0; i < batch.length; i++) {
            const n = kept.length
            // In every order of keeping a frame, lending it and handing it on.
            if (n % 3 === 0) server.sendFrom(batch, i)
            if (n % 3 === 1) server.send(batch.view(i))
            kept.push(batch.copy(i))
            if (n % 3 === 2) server.send(kept[n])
          }
          if (String(kept.at(-1)?.subarray(0, 4)) === 'end') resolve()
        }),
      )
      await sendAll(client, 0)
      await got
      check(kept, 0)
      client.resume()
      await until(() => forwarded.length === kept.length)
      check(forwarded, 0)
    })
  })

  describe('memory that is transferred', () => {
    /** Tries to; the runtime may refuse. */
    function transfer(memory: ArrayBufferLike): void {
      const { port1, port2 } = new MessageChannel()
      onTestFinished(() => {
        port1.close()
        port2.close()
      })
      try {
        port1.postMessage(null, [memory as ArrayBuffer])
      } catch (error) {
        expect(error).toMatchObject({ name: 'DataCloneError' })
      }
    }

    it.each([8, 50, 2000, 40_000])('takes no other frame along, of %i bytes each', async (size) => {
      const { raw, accepted } = await stage(backend)
      const peer = await raw()
      const server = await accepted()
      const sent = [1, 2, 3, 4].map((seed) => pattern(size, seed))
      const got: Buffer[] = []
      const all = new Promise<void>((resolve) =>
        server.on('frame', (payload) => {
          got.push(payload)
          // The first one at once, while its neighbours have not been given out.
          if (got.length === 1) transfer(payload.buffer)
          if (got.length === sent.length) resolve()
        }),
      )
      const header = Buffer.from([0, 0, size >>> 8, size & 255])
      await peer.write(Buffer.concat(sent.flatMap((payload) => [header, payload])))
      await all
      for (const i of [1, 2, 3]) expect(got[i].equals(sent[i])).toBe(true)
    })

    it('is not what connections read into', async () => {
      const { pair } = await stage(backend)
      const [client, server] = await pair()
      const got: string[] = []
      const all = new Promise<void>((resolve) =>
        server.onBatch((batch) => {
          const texts = Array.from({ length: batch.length }, (_, i) => batch.text(i))
          transfer(batch.bytes.buffer)
          transfer(batch.view(0).buffer)
          got.push(...texts)
          if (got.length === 200) resolve()
        }),
      )
      for (let i = 0; i < 200; i++) await client.sendAsync(`frame ${i}`)
      await all
      expect(got).toEqual(Array.from({ length: 200 }, (_, i) => `frame ${i}`))
    })

    /** Which takes its memory, sealed or not, before Node 24. Of Node's own pool that would be the end of many a Buffer. */
    function intoStreamOfBytes(bytes: Buffer): void {
      if (bytes.buffer.byteLength === Buffer.poolSize) return
      const start = (controller: ReadableByteStreamController) => {
        try {
          controller.enqueue(bytes as Buffer<ArrayBuffer>)
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError)
        }
      }
      new ReadableStream({ type: 'bytes', start })
    }

    /** What `take` was given, or how the connection closed, of 60 frames sent at once. */
    async function passed(size: number, take: (server: Connection, got: (payload: Buffer) => void) => void) {
      const { pair } = await stage(backend)
      const sent = Array.from({ length: 60 }, (_, i) => pattern(size, i))
      const [client, server] = await pair()
      const got: Buffer[] = []
      const closed = new Promise((resolve) => server.once('close', resolve))
      take(server, (payload) => got.push(payload))
      for (const payload of sent) client.send(payload)
      client.end()
      const error = await closed
      for (const [i, payload] of got.entries()) expect(payload.equals(sent[i]), `frame ${i}`).toBe(true)
      if (error === undefined) expect(got.length).toBe(sent.length)
      else expect(error).toEqual(withCode('ERR_FRAME_PAYLOAD_DETACHED'))
      return got.length
    }

    it.each([10, 64, 2000, 20_000, 100_000])(
      'by a stream of bytes is told where frames are lost with it, of %i bytes each',
      async (size) => {
        await passed(size, (server, got) =>
          server.on('frame', (payload) => {
            got(Buffer.from(payload))
            intoStreamOfBytes(payload)
          }),
        )
        const loop = async (server: Connection, got: (payload: Buffer) => void) => {
          for await (const payload of server) {
            got(Buffer.from(payload))
            intoStreamOfBytes(payload)
          }
        }
        await passed(size, (server, got) => void loop(server, got).catch(() => {}))
      },
    )

    it.each([10, 20_000])(
      'by a stream of bytes harms no other connection: batches of %i bytes',
      async (size) => {
        await passed(size, (server, got) =>
          server.onBatch((batch) => {
            for (let i = 0; i < batch.length && batch.bytes.length > 0; i++) got(Buffer.from(batch.view(i)))
            intoStreamOfBytes(batch.view(0))
          }),
        )
        collectGarbage()
        // What was given back is somebody else's by now.
        const others = Array.from({ length: 50 }, () => Buffer.alloc(256 * 1024))
        expect(await passed(size, (server, got) => server.on('frame', got))).toBe(60)
        expect(others.every((memory) => memory.every((byte) => byte === 0))).toBe(true)
      },
    )
  })
}
