/** Frames arrive whole, in order, byte-identical, once, whatever the chunks and whoever consumes them. */

import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Connection, encodeFrame, type FrameFormat } from 'framewire'
import { describe, expect, it } from 'vitest'
import {
  type Backend,
  closing,
  frame,
  frames,
  pattern,
  randomizer,
  settled,
  stage,
  trace,
  until,
} from './harness.js'

type AnyConnection = Connection<Buffer, Uint8Array | string>

/** Every way to consume: collects all payloads until the peer's end. */
const consumers: Record<string, (connection: AnyConnection) => Promise<Buffer[]>> = {
  "on('frame')": (connection) => {
    const got: Buffer[] = []
    connection.on('frame', (payload) => got.push(payload))
    return new Promise((resolve) => connection.once('close', () => resolve(got)))
  },
  'for await': async (connection) => {
    const got: Buffer[] = []
    for await (const payload of connection) got.push(payload)
    return got
  },
  onBatch: (connection) => {
    const got: Buffer[] = []
    connection.onBatch((batch) => {
      for (let i = 0; i < batch.length; i++) got.push(batch.copy(i))
    })
    return new Promise((resolve) => connection.once('close', () => resolve(got)))
  },
  toDuplex: async (connection) => {
    const got: Buffer[] = []
    for await (const payload of connection.toDuplex()) got.push(payload)
    return got
  },
  toWeb: async (connection) => {
    const got: Buffer[] = []
    const { readable, writable } = connection.toWeb()
    for await (const payload of readable) got.push(payload)
    await writable.close()
    return got
  },
}

export function deliveryContract(backend: Backend): void {
  describe.each(Object.entries(consumers))('%s', (_name, consume) => {
    it('gets every frame of random sizes and the end', async () => {
      const { pair } = await stage(backend)
      const [client, server] = await pair()
      const random = randomizer(7)
      const sent = Array.from({ length: 400 }, (_, i) => pattern(Math.floor(random() ** 8 * 200_000), i))
      const received = consume(server)
      for (const payload of sent) await client.sendAsync(payload)
      client.end()
      const got = await received
      expect(got.length).toBe(sent.length)
      for (let i = 0; i < sent.length; i++) expect(got[i].equals(sent[i])).toBe(true)
    })

    it('gets frames that came before it was there', async () => {
      const { pair } = await stage(backend)
      const [client, server] = await pair()
      for (const text of ['one', 'two', '', 'four']) client.send(text)
      // By then they have been read, and wait; what comes later waits in the kernel.
      await until(() => server.stats().framesReceived >= 4)
      client.end('five')
      expect((await consume(server)).map(String)).toEqual(['one', 'two', '', 'four', 'five'])
    })

    it('gets zero-length frames', async () => {
      const { raw, accepted } = await stage(backend)
      const peer = await raw()
      peer.socket.end(Buffer.alloc(4 * 30_000))
      const got = await consume(await accepted())
      expect(got.length).toBe(30_000)
      expect(got.every((payload) => payload.length === 0)).toBe(true)
    })

    it('refuses to share a connection', async () => {
      const { pair } = await stage(backend)
      const [, server] = await pair()
      const done = consume(server)
      const refused = expect.objectContaining({ code: 'ERR_FRAME_CONSUMER_MODE' })
      expect(() => server.onBatch(() => {})).toThrow(refused)
      expect(() => server.toDuplex()).toThrow(refused)
      expect(() => server.toWeb()).toThrow(refused)
      expect(() => server[Symbol.asyncIterator]()).toThrow(refused)
      server.destroy()
      await done.catch((error) => expect(error.code).toBe('ERR_STREAM_PREMATURE_CLOSE'))
    })
  })

  it('delivers three frames however they are split', async () => {
    const { raw, accepted } = await stage(backend)
    const stream = Buffer.concat([frame('first'), frame(''), frame('the third')])
    for (let split = 1; split < stream.length; split++) {
      const peer = await raw()
      const server = await accepted()
      const events = trace(server)
      const closed = closing(server)
      await peer.write(stream.subarray(0, split))
      // The rest comes in a chunk of its own.
      await until(() => server.stats().bytesReceived >= split)
      peer.socket.end(stream.subarray(split))
      await closed
      expect(events).toEqual(['frame first', 'frame ', 'frame the third', 'close'])
    }
  })

  it('delivers frames that come byte by byte', async () => {
    const { raw, accepted } = await stage(backend)
    const peer = await raw()
    const server = await accepted()
    const got = frames(server, 3)
    for (const byte of Buffer.concat([frame('first'), frame(''), frame('the third')])) {
      await peer.write(Uint8Array.of(byte))
    }
    expect((await got).map(String)).toEqual(['first', '', 'the third'])
  })

  it('delivers a frame of 5 MiB between small ones', async () => {
    const { pair } = await stage(backend)
    const [client, server] = await pair()
    const large = pattern(5 * 1024 * 1024)
    const got = frames(server, 3)
    client.send('before')
    client.send(large)
    client.send('behind')
    const [before, middle, behind] = await got
    expect([String(before), String(behind)]).toEqual(['before', 'behind'])
    expect(middle.equals(large)).toBe(true)
  })

  it.each(['uint8', 'uint16le', 'uint24be', 'uint32le', 'uint64be', 'varint', 'workerman'] as const)(
    'carries format %s both ways',
    async (format) => {
      const { pair } = await stage(backend, { format })
      const [client, server] = await pair({ format })
      server.on('frame', (payload) => server.send(payload))
      const got = frames(client, 3)
      for (const payload of ['', 'x', 'a'.repeat(200)]) client.send(payload)
      expect((await got).map(String)).toEqual(['', 'x', 'a'.repeat(200)])
    },
  )

  it.each<FrameFormat>([
    { lengthBytes: 4, lengthOffset: 65_535 },
    { lengthBytes: 8, lengthOffset: 65_535, endian: 'little' },
    { lengthBytes: 'varint', lengthOffset: 65_535 },
    { lengthBytes: 1, lengthOffset: 65_535, strip: 65_535 },
  ])('carries the widest headers both ways: %j', async (format) => {
    const { pair } = await stage(backend, { format })
    const [client, server] = await pair({ format })
    server.on('frame', (payload) => server.send(payload))
    const got = frames(client, 3)
    // With a field of its own in it, a payload brings the room for that.
    const sent = ['..', '..x', `..${'a'.repeat(200)}`].map((text) => Buffer.from(text))
    for (const payload of sent) client.send(payload)
    const field = format.strip === undefined ? 0 : 1
    for (const [i, payload] of (await got).entries())
      expect(payload.subarray(field).equals(sent[i].subarray(field))).toBe(true)
  })

  it.each([
    [0, 1],
    [0, 2],
    [1, 2],
    [1, 3],
    [0, 3],
  ])('carries a varint at %i of which the first %i bytes are stripped', async (lengthOffset, strip) => {
    const format = { lengthBytes: 'varint', lengthOffset, strip } as const
    const { pair } = await stage(backend, { format })
    const [client, server] = await pair({ format })
    server.on('frame', (payload) => server.send(payload))
    for (const size of [16_384, 16_385, 70_000, 300_000]) {
      const payload = pattern(size, size)
      const expected = encodeFrame(payload, format).subarray(strip)
      const got = frames(client, 1)
      client.send(payload)
      expect((await got)[0].equals(expected), `${size} bytes`).toBe(true)
      client.removeAllListeners('frame')
    }
  })

  it('gives each frame a Buffer that nobody else writes to', async () => {
    const { pair } = await stage(backend)
    const [client, server] = await pair()
    const sent = Array.from({ length: 3000 }, (_, i) => pattern(i % 100, i))
    const got = frames(server, sent.length)
    for (const payload of sent) client.send(payload)
    const kept = await got
    const again = new Promise((resolve) =>
      server.on('frame', (payload) => payload.length === 99 && resolve(null)),
    )
    for (let i = 0; i < 3000; i++) client.send(pattern(98, 5))
    client.send(pattern(99, 5))
    await again
    expect(kept.every((payload) => Buffer.isBuffer(payload))).toBe(true)
    for (let i = 0; i < sent.length; i++) expect(kept[i].equals(sent[i])).toBe(true)
  })

  it('lends a batch only until the callback returns', async () => {
    const { pair } = await stage(backend)
    const [client, server] = await pair()
    client.send('{"a":1}')
    const seen = await new Promise<unknown[]>((resolve) => {
      server.onBatch((batch) => {
        const [view] = batch
        const read = [batch.length, batch.text(0), batch.json(0), String(view), String(batch.copy(0))]
        setImmediate(() => {
          let code: unknown
          try {
            batch.copy(0)
          } catch (error) {
            code = (error as { code?: string }).code
          }
          resolve([...read, code])
        })
      })
    })
    const text = '{"a":1}'
    expect(seen).toEqual([1, text, { a: 1 }, text, text, 'ERR_FRAME_BATCH_EXPIRED'])
  })

  it('stops reading while a loop is busy, and loses nothing', async () => {
    const { pair } = await stage(backend)
    const [client, server] = await pair({ highWaterMark: 64 * 1024 })
    const payload = pattern(1000)
    let sent = 0
    while (client.send(payload)) sent++
    const drained = new Promise((resolve) => client.once('drain', () => resolve(null)))
    const iterator = server[Symbol.asyncIterator]()
    await iterator.next()
    await drained
    client.end()
    let got = 1
    for await (const _ of iterator) got++
    expect(got).toBe(sent + 1)
  })

  it('pipes into a slow writable and back without losing a frame', async () => {
    const { pair } = await stage(backend)
    const [client, server] = await pair()
    const echo = server.toDuplex()
    const echoed = pipeline(echo, echo)
    const got: Buffer[] = []
    const slow = new Writable({
      objectMode: true,
      highWaterMark: 1,
      write(payload, _encoding, done) {
        got.push(payload)
        setImmediate(done)
      },
    })
    const duplex = client.toDuplex()
    const collected = pipeline(duplex, slow)
    for (let i = 0; i < 500; i++) {
      if (!duplex.write(pattern(3000, i))) await new Promise((resolve) => duplex.once('drain', resolve))
    }
    duplex.end()
    await Promise.all([echoed, collected])
    expect(got.length).toBe(500)
    for (let i = 0; i < 500; i++) expect(got[i].equals(pattern(3000, i))).toBe(true)
  })

  it.each(['destroy', 'close'] as const)(
    '%s in a consumer drops the frames behind, whoever has them',
    async (how) => {
      const consume: Record<string, (connection: Connection, got: (payload: Buffer) => void) => void> = {
        frame: (connection, got) => void connection.on('frame', got),
        loop: async (connection, got) => {
          for await (const payload of connection) got(payload)
        },
        duplex: (connection, got) => void connection.toDuplex().on('data', got),
      }
      for (const mode of Object.keys(consume)) {
        const { raw, accepted } = await stage(backend)
        const [server, peer] = await Promise.all([accepted(), raw()])
        const got: string[] = []
        consume[mode](server, (payload) => {
          got.push(String(payload))
          if (got.length === 2) void server[how]()
        })
        const closed = closing(server)
        await peer.write(Buffer.concat(['a', 'b', 'c', 'd', 'e'].map(frame)))
        peer.socket.resume().end()
        expect(await closed).toBe(undefined)
        await settled()
        expect([mode, ...got]).toEqual([mode, 'a', 'b'])
      }
    },
  )
}
