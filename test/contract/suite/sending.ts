/** What `send` promises: order, copies, limits, backpressure, and the report of what was never written. */
import { type Connection, encodeFrame, type FrameBatch } from 'framewire'
import { describe, expect, it } from 'vitest'
import {
  type Backend,
  closing,
  frame,
  frames,
  pattern,
  settled,
  stage,
  trace,
  unframe,
  until,
} from './harness.js'

const code = (expected: string) => expect.objectContaining({ code: expected })

export function sendingContract(backend: Backend): void {
  it('sends strings as UTF-8 and views as the bytes they cover', async () => {
    const { pair } = await stage(backend)
    const [client, server] = await pair()
    const memory = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
    const got = frames(server, 5)
    client.send('长度相同')
    client.send(memory.subarray(2, 4))
    client.send(new Uint16Array(memory.buffer, 4, 2) as never)
    client.send(new DataView(memory.buffer, 6) as never)
    client.send('é'.repeat(20_000))
    expect((await got).map((payload) => payload.toString('hex'))).toEqual([
      Buffer.from('长度相同').toString('hex'),
      '0304',
      '05060708',
      '0708',
      'c3a9'.repeat(20_000),
    ])
  })

  it.each([100, 20_000, 2, 0, -3, Number.NaN, '7', undefined])(
    'sends the bytes a payload has, whatever its own length says: %j',
    async (length) => {
      class Derived extends Uint8Array {
        override get length() {
          return length as number
        }
      }
      const own = (bytes: Uint8Array) => Object.defineProperty(bytes, 'length', { value: length })
      const memory = Uint8Array.from('secretabcdsecret', (letter) => letter.charCodeAt(0))
      const large = Buffer.alloc(30_000, 'l')
      const payloads = [
        Derived.from('abcd', (letter) => letter.charCodeAt(0)),
        own(Buffer.from('abcd')),
        Object.defineProperties(new DataView(memory.buffer, 6, 4), {
          byteLength: { value: length },
          byteOffset: { value: 0 },
        }),
        own(new Uint16Array(memory.buffer, 6, 2) as never),
        own(Buffer.from(large)),
      ] as Uint8Array[]
      const { pair } = await stage(backend)
      const [client, server] = await pair()
      const [other] = await pair()
      // What lies behind a payload in memory that connections share.
      for (let i = 0; i < 20; i++) await other.sendAsync('secret of another connection '.repeat(10))
      const got = frames(server, payloads.length + 1)
      for (const payload of payloads) client.send(payload)
      client.send('next')
      expect((await got).map(String)).toEqual(['abcd', 'abcd', 'abcd', 'abcd', String(large), 'next'])
      for (const payload of payloads.slice(0, 4)) expect(String(encodeFrame(payload))).toBe('\0\0\0\x04abcd')
    },
  )

  it('has copied payloads of up to 16 KiB when it returns', async () => {
    const { pair } = await stage(backend)
    const [client, server] = await pair()
    const payload = Buffer.alloc(16 * 1024, 'a')
    const got = frames(server, 1)
    client.send(payload)
    payload.fill('b')
    expect((await got)[0].every((byte) => byte === 0x61)).toBe(true)
  })

  it.each([
    ['a number', 5],
    ['null', null],
    ['undefined', undefined],
    ['an object', { length: 4 }],
    ['an object with toString', { toString: () => 'text' }],
    ['an array', [1, 2, 3]],
    ['a proxy', new Proxy(new Uint8Array(4), {})],
  ])('throws a TypeError for %s, and goes on', async (_what, payload) => {
    const { pair } = await stage(backend)
    const [client, server] = await pair()
    const got = frames(server, 1)
    expect(() => client.send(payload as never)).toThrow(TypeError)
    expect(() => client.send(payload as never)).toThrow(code('ERR_FRAME_PAYLOAD_TYPE'))
    expect(client.stats().framesSent).toBe(0)
    client.send('fine')
    expect(String((await got)[0])).toBe('fine')
  })

  it('refuses what is over maxFrameLength, and queues nothing of it', async () => {
    const { pair } = await stage(backend)
    const [client, server] = await pair({ maxFrameLength: 100_000 })
    const got = frames(server, 2)
    client.send('before')
    expect(() => client.send(Buffer.alloc(100_001))).toThrow(code('ERR_FRAME_TOO_LARGE'))
    expect(() => client.send('x'.repeat(100_001))).toThrow(code('ERR_FRAME_TOO_LARGE'))
    await expect(client.sendAsync(Buffer.alloc(100_001))).rejects.toThrow(code('ERR_FRAME_TOO_LARGE'))
    client.send(Buffer.alloc(100_000))
    const [before, largest] = await got
    expect([String(before), largest.length]).toEqual(['before', 100_000])
  })

  it('names the connection in what it throws and fails with', async () => {
    const { pair } = await stage(backend, { serialization: 'json', maxFrameLength: 100_000 } as never)
    const [client, server] = await pair({ maxFrameLength: 200_000 })
    const named = (expected: string) => expect.objectContaining({ code: expected, connectionId: server.id })
    expect(() => server.send((() => {}) as never)).toThrow(named('ERR_FRAME_SERIALIZATION'))
    expect(() => server.send('x'.repeat(100_001))).toThrow(named('ERR_FRAME_TOO_LARGE'))
    server.on('frame', () => {})
    const closed = closing(server)
    client.send('{bad')
    expect(await closed).toEqual(named('ERR_FRAME_SERIALIZATION'))
  })

  it('refuses memory that was detached', async () => {
    const { pair } = await stage(backend)
    const [client, server] = await pair()
    const payload = new Uint8Array(50_000)
    structuredClone(payload.buffer, { transfer: [payload.buffer] })
    expect(() => client.send(payload)).toThrow(code('ERR_FRAME_PAYLOAD_DETACHED'))
    const got = frames(server, 1)
    client.send('fine')
    expect(String((await got)[0])).toBe('fine')
  })

  it('says that it was a write which found the peer gone', async () => {
    const { raw, accepted } = await stage(backend)
    const peer = await raw()
    const server = await accepted()
    // Nothing is read, so that reading does not find it out.
    server.onBatch(() => {})
    server.pause()
    const closed = closing(server)
    peer.socket.destroy()
    await peer.closed()
    server.send('for nobody')
    expect(await closed).toMatchObject({
      code: 'ERR_FRAME_CONNECTION_LOST',
      cause: { code: 'EPIPE', syscall: 'write' },
    })
  })

  it('never sends memory that was taken away while it waited', async () => {
    const { raw, accepted } = await stage(backend)
    const peer = await raw()
    const server = await accepted()
    peer.socket.pause()
    const fillers = Array.from({ length: 40 }, () => Buffer.alloc(100_000, 'f'))
    const taken = new Uint8Array(100_000).fill(0x74)
    const closed = closing(server)
    for (const filler of fillers) server.send(filler)
    server.send(taken)
    server.send('behind it')
    await settled()
    structuredClone(taken.buffer, { transfer: [taken.buffer] })
    server.end()
    peer.socket.resume()
    // Either it was copied in time, or the connection ends in front of it with the reason.
    const got = unframe(await peer.ended())
    peer.socket.end()
    const error = (await closed) as (Error & { cause?: { code?: string } }) | undefined
    for (let i = 0; i < 40; i++) expect(got[i].every((byte) => byte === 0x66)).toBe(true)
    if (got.length > 40) {
      expect(got[40].every((byte) => byte === 0x74) && got[40].length === 100_000).toBe(true)
      expect(String(got[41])).toBe('behind it')
      expect(error).toBeUndefined()
    } else
      expect(error?.cause?.code ?? (error as { code?: string } | undefined)?.code).toBe(
        'ERR_FRAME_PAYLOAD_DETACHED',
      )
  })

  it('keeps the order of small and large frames, text and bytes', async () => {
    const { raw, accepted } = await stage(backend)
    const peer = await raw()
    const server = await accepted()
    const sent = Array.from({ length: 300 }, (_, i) =>
      i % 3 === 0 ? 'text'.repeat(i * 20) : pattern(i % 7 === 0 ? 40_000 : i, i),
    )
    for (const payload of sent) server.send(payload)
    server.end()
    const got = unframe(await peer.ended())
    expect(got.length).toBe(sent.length)
    for (let i = 0; i < sent.length; i++) expect(got[i].equals(Buffer.from(sent[i] as Buffer))).toBe(true)
  })

  it('says false over the high-water mark, and drains once', async () => {
    const { pair } = await stage(backend)
    const [client, server] = await pair({ highWaterMark: 100_000 })
    server.pause()
    const events = trace(client, { consume: false })
    const payload = Buffer.alloc(8000)
    let sent = 0
    do sent++
    while (client.send(payload))
    // Whatever the kernel takes of the first turn, there is an end to what it takes.
    while (client.stats().bytesQueued < 100_000) {
      for (let i = 0; i < 20; i++, sent++) client.send(payload)
      await settled()
    }
    events.length = 0
    const got = frames(server, sent)
    const drained = new Promise((resolve) => client.once('drain', () => resolve(null)))
    server.resume()
    await Promise.all([got, drained])
    expect(events).toEqual(['drain'])
    expect(client.stats().bytesQueued).toBe(0)
  })

  it('forwards frames of a batch as they are', async () => {
    const { pair } = await stage(backend)
    const [client, server] = await pair()
    server.onBatch((batch) => {
      for (let i = 0; i < batch.length; i++) if (batch.start(i) < batch.end(i)) server.sendFrom(batch, i)
    })
    const sent = Array.from({ length: 2000 }, (_, i) => pattern(1 + (i % 300), i))
    sent[700] = pattern(150_000)
    const got = frames(client, sent.length)
    for (const payload of sent) client.send(payload)
    client.send('')
    const echoed = await got
    for (let i = 0; i < sent.length; i++) expect(echoed[i].equals(sent[i])).toBe(true)
  })

  it.each([
    ['sendFrom', (to: Connection, batch: FrameBatch, i: number) => to.sendFrom(batch, i)],
    ['send of a view', (to: Connection, batch: FrameBatch, i: number) => to.send(batch.view(i))],
  ])('forwards borrowed frames of any size to a peer that reads late: %s', async (_how, forward) => {
    const { pair } = await stage(backend)
    const [client, server] = await pair()
    server.onBatch((batch) => {
      for (let i = 0; i < batch.length; i++) forward(server, batch, i)
    })
    const sent = Array.from({ length: 120 }, (_, i) => pattern((i * 7919) % 400_000, i))
    client.pause()
    const written = sent.map((payload) => client.sendAsync(payload))
    const got = frames(client, sent.length)
    await Promise.all(written)
    client.resume()
    const echoed = await got
    for (let i = 0; i < sent.length; i++) expect(echoed[i].equals(sent[i]), `frame ${i}`).toBe(true)
  })

  it('forwards large frames of one size to two peers that read late, of which one is destroyed', async () => {
    const { pair } = await stage(backend)
    const [client, server] = await pair()
    const [late, toLate] = await pair()
    const [gone, toGone] = await pair()
    const sent = Array.from({ length: 60 }, (_, i) => pattern(300_000, i))
    let count = 0
    server.onBatch((batch) => {
      for (let i = 0; i < batch.length; i++, count++) {
        // To one of them, the other or both: each goes on reading the memory for a time of its own.
        if (count % 3 === 0) toLate.sendFrom(batch, i)
        if (count % 3 === 1) toLate.send(batch.view(i))
        if (count % 2 === 0) toGone.sendFrom(batch, i)
        if (count === 30) gone.destroy()
      }
    })
    late.pause()
    gone.pause()
    for (const payload of sent) await client.sendAsync(payload)
    const expected = sent.filter((_, i) => i % 3 < 2)
    const got = frames(late, expected.length)
    late.resume()
    for (const [i, payload] of (await got).entries())
      expect(payload.equals(expected[i]), `frame ${i}`).toBe(true)
  })

  it('does not read from a peer that leaves 64 MiB of answers unread, and goes on when it reads', async () => {
    const { pair } = await stage(backend)
    const [client, server] = await pair()
    const payload = pattern(1024 * 1024)
    let most = 0
    server.on('frame', (got) => {
      server.send(got)
      most = Math.max(most, server.stats().bytesQueued)
    })
    client.pause()
    const written = Array.from({ length: 160 }, () => client.sendAsync(payload))
    await written[60]
    const got = frames(client, written.length)
    client.resume()
    expect((await got).every((echoed) => echoed.equals(payload))).toBe(true)
    await Promise.all(written)
    expect(most).toBeLessThan(80 * 1024 * 1024)
  })

  it('nor from one that leaves answers unread which somebody waits for, however small', async () => {
    const { server, raw, accepted } = await stage(backend)
    const [connection, peer] = await Promise.all([accepted(), raw()])
    let [pending, most, held] = [0, 0, 0]
    connection.on('frame', (payload) => {
      most = Math.max(most, ++pending)
      connection
        .sendAsync(payload)
        .catch(() => {})
        .finally(() => pending--)
    })
    peer.socket.pause()
    const count = 400_000
    const written = peer.write(Buffer.alloc(4 * count))
    await until(() => {
      const before = held
      held = server.stats().heldBytes
      return pending >= 8 * 1024 && held === before
    })
    // Each counts, and some bytes of theirs.
    expect(held).toBeGreaterThan(pending * 500)
    peer.socket.resume()
    await written
    await until(() => peer.socket.bytesRead === 4 * count && pending === 0)
    expect(most).toBeLessThan(200_000)
    expect(server.stats().heldBytes).toBe(0)
  })

  it('forwards to a connection of another format', async () => {
    const one = await stage(backend)
    const other = await stage(backend, { format: 'uint16le' })
    const [client, server] = await one.pair()
    const [sink, source] = await other.pair({ format: 'uint16le' })
    server.onBatch((batch) => {
      for (let i = 0; i < batch.length; i++) source.sendFrom(batch, i)
    })
    const got = frames(sink, 3)
    for (const text of ['one', '', 'three']) client.send(text)
    expect((await got).map(String)).toEqual(['one', '', 'three'])
  })

  describe('sendAsync', () => {
    it('settles when the kernel has the frame, in order', async () => {
      const { pair } = await stage(backend)
      const [client, server] = await pair()
      const settled: number[] = []
      const got = frames(server, 200)
      await Promise.all(
        Array.from({ length: 200 }, (_, i) => client.sendAsync(pattern(i * 10)).then(() => settled.push(i))),
      )
      expect(settled).toEqual(Array.from({ length: 200 }, (_, i) => i))
      expect(client.stats().bytesQueued).toBe(0)
      expect((await got).length).toBe(200)
    })

    it('refuses what is no payload also when it is closed', async () => {
      const { pair } = await stage(backend, { maxFrameLength: 100 })
      const [client] = await pair({ maxFrameLength: 100 })
      client.destroy()
      expect(() => client.send(5 as never)).toThrow(code('ERR_FRAME_PAYLOAD_TYPE'))
      expect(() => client.send('x'.repeat(101))).toThrow(code('ERR_FRAME_TOO_LARGE'))
      expect(() => client.send(Buffer.alloc(101))).toThrow(code('ERR_FRAME_TOO_LARGE'))
      expect(client.send('x')).toBe(false)
    })

    it('rejects on a closed connection: never written', async () => {
      const { pair } = await stage(backend)
      const [client] = await pair()
      const closed = closing(client)
      client.destroy()
      await expect(client.sendAsync('x')).rejects.toMatchObject({
        code: 'ERR_FRAME_CLOSED',
        neverWritten: true,
      })
      expect(client.send('x')).toBe(false)
      await closed
    })

    it('on a lost connection says of each frame whether it was never written', async () => {
      const { raw, accepted } = await stage(backend)
      const peer = await raw()
      const server = await accepted()
      peer.socket.pause()
      const payload = Buffer.alloc(60_000)
      const outcomes: Promise<string>[] = []
      const sendOne = () =>
        outcomes.push(
          server.sendAsync(payload).then(
            () => 'written',
            (error) => `${error.code} ${error.neverWritten}`,
          ),
        )
      while (server.stats().bytesQueued < 2_000_000) {
        sendOne()
        await settled()
      }
      const closed = closing(server)
      peer.socket.destroy()
      expect(await closed).toMatchObject({ code: 'ERR_FRAME_CONNECTION_LOST' })
      const words = await Promise.all(outcomes)
      const { bytesAccepted, bytesWritten } = server.stats()
      const never = words.filter((word) => word === 'ERR_FRAME_CONNECTION_LOST true').length
      expect(never).toBe(Math.floor((bytesAccepted - bytesWritten) / 60_004))
      expect(never).toBeGreaterThan(20)
      // Written ones first, then those whose fate is unknown, then those never written.
      const order = words.map((word) =>
        ['written', 'ERR_FRAME_CONNECTION_LOST false', 'ERR_FRAME_CONNECTION_LOST true'].indexOf(word),
      )
      expect(order).toEqual([...order].sort())
      expect(order).not.toContain(-1)
    })

    it('tells all that wait on a lost connection with two errors, whoever waits', async () => {
      const { raw, accepted } = await stage(backend)
      const peer = await raw()
      const server = await accepted()
      peer.socket.pause()
      const errors: unknown[] = []
      const outcomes = Array.from({ length: 500 }, () =>
        server.sendAsync(Buffer.alloc(20_000)).catch((error) => errors.push(error)),
      )
      await until(() => server.stats().bytesWritten > 0)
      server.destroy()
      await Promise.all(outcomes)
      expect(errors.length).toBeGreaterThan(300)
      expect(new Set(errors).size).toBeLessThanOrEqual(2)
      expect(errors.at(-1)).toMatchObject({
        code: 'ERR_FRAME_CONNECTION_LOST',
        connectionId: server.id,
        neverWritten: true,
        stack: expect.stringContaining('FrameError'),
      })
    })

    it.each([
      ['small', 200, 5000],
      ['large', 20_000, 100],
    ])('counts %s frames as written once the kernel has them, and no others', async (_what, size, count) => {
      const { raw, accepted } = await stage(backend)
      const peer = await raw()
      const server = await accepted()
      peer.socket.pause()
      const words: string[] = []
      const outcomes = Array.from({ length: count }, () =>
        server.sendAsync(Buffer.alloc(size)).then(
          () => words.push('written'),
          (error) => words.push(error.neverWritten ? 'never' : 'unknown'),
        ),
      )
      // A peer that reads nothing more: what has settled by now is all that will.
      const whole = () => Math.floor(server.stats().bytesWritten / (size + 4))
      while (words.length === 0 || words.length < whole()) await settled()
      server.destroy()
      await Promise.all(outcomes)
      peer.socket.resume()
      const got = unframe(await peer.ended()).length
      const counted = (word: string) => words.filter((other) => other === word).length
      expect(counted('written')).toBe(got)
      expect(got).toBeGreaterThan(0)
      expect(counted('unknown')).toBeLessThanOrEqual(1)
      expect(counted('written') + counted('unknown') + counted('never')).toBe(count)
    })

    it('stops waiting when aborted, with the reason', async () => {
      const { pair } = await stage(backend)
      const [client, server] = await pair()
      server.pause()
      const reason = new Error('enough')
      expect(await client.sendAsync('x', { signal: AbortSignal.abort(reason) }).catch((error) => error)).toBe(
        reason,
      )
      expect(client.stats().framesSent).toBe(0)
      const controller = new AbortController()
      const sent = client.sendAsync(Buffer.alloc(4_000_000), { signal: controller.signal })
      controller.abort(reason)
      expect(await sent.catch((error) => error)).toBe(reason)
    })

    it('refuses a signal that is none', async () => {
      const { pair } = await stage(backend)
      const [client] = await pair()
      await expect(client.sendAsync('x', { signal: {} as never })).rejects.toThrow(
        code('ERR_FRAME_OPTION_INVALID'),
      )
    })
  })

  it('writes everything before it ends', async () => {
    const { raw, accepted } = await stage(backend)
    const peer = await raw()
    const server = await accepted()
    const large = pattern(3_000_000)
    server.send(large)
    server.end('last')
    expect(server.send('late')).toBe(false)
    const got = await peer.ended()
    expect(got.equals(Buffer.concat([frame(large), frame('last')]))).toBe(true)
  })
}
