/** What waits while a client has no connection: what may, whose memory it is, and when it is let go of. */
import { join } from 'node:path'
import { type Client, type ClientOptions, createClient, createServer } from 'framewire'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Backend, deferred } from './harness.js'
import { type Bytes, emitted, folder, rejection } from './service.js'

/** Comes back at once. */
const EAGER = { reconnect: { initial: 1, max: 1 } }
/** Does not come back while a test lasts. */
const ALONE = { reconnect: { initial: 100_000, max: 100_000 } }

export function clientQueueContract(backend: Backend): void {
  const client = async (options: Partial<ClientOptions>): Promise<[Client<Buffer, Bytes>, string]> => {
    const path = join(await folder(), 's')
    const made = createClient({ backend, path, ...options } as ClientOptions & { serialization?: 'buffer' })
    onTestFinished(() => made.close({ timeout: 0 }))
    return [made, path]
  }
  /** A server that comes late, and what it is told. */
  const listen = async (path: string, count: number) => {
    const seen: Buffer[] = []
    const all = deferred<Buffer[]>()
    const server = createServer({ backend }, (connection) =>
      connection.on('frame', (payload) => {
        if (seen.push(payload) === count) all.resolve(seen)
      }),
    )
    onTestFinished(() => server.close({ timeout: 0 }))
    await server.listen(path)
    return all.promise
  }

  describe('waiting for a connection', () => {
    it('lets go of requests as soon as their signal is aborted', async () => {
      const [one] = await client({ ...ALONE, maxQueued: 1000 })
      const abort = new AbortController()
      const options = { signal: abort.signal, timeout: 0 }
      const all = Array.from({ length: 1000 }, () => rejection(one.request('x', options)))
      expect(one.stats().queued).toBe(1000)
      abort.abort(new Error('enough'))
      expect(one.stats().queued).toBe(0)
      for (const error of await Promise.all(all)) expect(error.message).toBe('enough')
      for (let i = 0; i < 1000; i++) one.send('y')
      expect(one.stats().queued).toBe(1000)
    })

    it('keeps the order of what is left', async () => {
      const [one, path] = await client(EAGER)
      const abort = new AbortController()
      one.send('a')
      const gone = rejection(one.request('b', { signal: abort.signal }))
      one.send('c')
      abort.abort(new Error('enough'))
      await gone
      one.send('d')
      await emitted(one, 'reconnecting')
      expect((await listen(path, 3)).map(String)).toEqual(['a', 'c', 'd'])
    })

    it('keeps copies of payloads of every kind', async () => {
      const [one, path] = await client(EAGER)
      const kinds = [
        (memory: ArrayBuffer) => new Uint8Array(memory),
        (memory: ArrayBuffer) => new Uint16Array(memory),
        (memory: ArrayBuffer) => new DataView(memory),
        (memory: ArrayBuffer) => memory,
      ]
      for (const kind of kinds) {
        const bytes = Uint8Array.of(1, 2, 3, 4)
        one.send(kind(bytes.buffer) as Uint8Array)
        bytes.fill(9)
      }
      await emitted(one, 'reconnecting')
      const seen = (await listen(path, kinds.length)).map((payload) => payload.toString('hex'))
      expect(seen).toEqual(kinds.map(() => '01020304'))
    })

    it.each([
      ['a number', 42, { name: 'TypeError', code: 'ERR_FRAME_PAYLOAD_TYPE' }],
      ['text over maxFrameLength', 'ü'.repeat(6), { code: 'ERR_FRAME_TOO_LARGE', declared: 12, limit: 10 }],
      [
        'bytes over maxFrameLength',
        Buffer.alloc(11),
        { code: 'ERR_FRAME_TOO_LARGE', declared: 11, limit: 10 },
      ],
    ])('refuses %s at once, as a connection does', async (_name, payload, expected) => {
      const [one] = await client({ ...ALONE, maxFrameLength: 10 })
      await emitted(one, 'reconnecting')
      expect(() => one.send(payload as never)).toThrow(expect.objectContaining(expected))
      expect(await rejection(one.request(payload as never))).toMatchObject(expected)
      expect(one.stats().queued).toBe(0)
    })

    it('refuses what the format cannot carry at once', async () => {
      const format = { lengthBytes: 'varint', strip: 0 } as const
      const [one] = await client({ ...ALONE, format } as Partial<ClientOptions>)
      expect(() => one.send(Buffer.of(5, 1, 2))).toThrow(
        expect.objectContaining({ code: 'ERR_FRAME_LENGTH_INVALID' }),
      )
      one.send(Buffer.of(2, 1, 2))
      expect(one.stats().queued).toBe(1)
    })
  })
}
