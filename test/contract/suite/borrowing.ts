/**
 * Borrowed batches and payloads of one's own: until when a batch can be used, and that nothing of another connection is
 * reached through either.
 */
import { MessageChannel } from 'node:worker_threads'
import type { Connection, FrameBatch } from 'framewire'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Backend, frames, pattern, stage, uncaught } from './harness.js'

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
      while (server.stats().framesReceived < 1) await new Promise((resolve) => setImmediate(resolve))
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
  })
}
