/** Whose memory it is: senders that change theirs, receivers that keep theirs, and bytes nobody wrote. */
import { encodeFrame, FrameDecoder, type FrameError } from 'framewire'
import { describe, expect, it } from 'vitest'
import {
  type Backend,
  closing,
  collectGarbage,
  frame,
  frames,
  pattern,
  stage,
  unframe,
  until,
} from '../../contract/suite/harness.js'

const code = (expected: string) => expect.objectContaining({ code: expected })

type Move = (memory: ArrayBuffer) => ArrayBuffer

const moves: [string, Move][] = [
  ['structuredClone', (memory) => structuredClone(memory, { transfer: [memory] })],
]
// Node 20 has none.
if ('transfer' in ArrayBuffer.prototype)
  moves.push(['transfer()', (memory) => (memory as ArrayBuffer & { transfer(): ArrayBuffer }).transfer()])

function liveBytes(): number {
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return arrayBuffers + heapUsed
}

export function memoryFaults(backend: Backend): void {
  describe('16. a sender that changes its buffer after send', () => {
    it.each([1, 64, 4096, 16 * 1024])('%i bytes were copied', async (size) => {
      const { pair } = await stage(backend)
      const [client, server] = await pair()
      const got = frames(server, 3)
      const payload = Buffer.alloc(size)
      for (const letter of ['a', 'b', 'c']) {
        payload.fill(letter)
        client.send(payload)
      }
      payload.fill('x')
      expect((await got).map(String)).toEqual(['a', 'b', 'c'].map((letter) => letter.repeat(size)))
    })

    it('of more than 16 KiB has to wait for sendAsync; frames stay whole either way', async () => {
      const { pair } = await stage(backend)
      const [client, server] = await pair()
      const got = frames(server, 3)
      const payload = Buffer.alloc(500_000, 'a')
      await client.sendAsync(payload)
      payload.fill('b')
      client.send(payload)
      payload.fill('c')
      client.send('behind')
      const [first, second, third] = await got
      expect(first.every((byte) => byte === 0x61)).toBe(true)
      expect(second.length).toBe(payload.length)
      expect(second.every((byte) => byte === 0x62 || byte === 0x63)).toBe(true)
      expect(String(third)).toBe('behind')
    })
  })

  describe('17. memory that goes away', () => {
    it('before send is an error with a code', async () => {
      const { pair } = await stage(backend)
      const [client, server] = await pair()
      for (const size of [10, 50_000]) {
        const payload = new Uint8Array(size)
        structuredClone(payload.buffer, { transfer: [payload.buffer] })
        expect(() => client.send(payload)).toThrow(code('ERR_FRAME_PAYLOAD_DETACHED'))
        expect(() => encodeFrame(payload, 'uint32be')).toThrow(code('ERR_FRAME_PAYLOAD_DETACHED'))
      }
      const got = frames(server, 1)
      client.send('fine')
      expect(String((await got)[0])).toBe('fine')
    })

    it.each(['transferred', 'shrunk'])(
      '%s while it waits to be written never becomes a frame of other bytes',
      async (how) => {
        const { raw, accepted } = await stage(backend)
        const peer = await raw()
        const server = await accepted()
        peer.socket.pause()
        server.onBatch(() => {})
        const closed = closing(server)
        const size = 4_000_000
        // TypeScript's library does not know resizable buffers yet.
        const buffer = new (ArrayBuffer as new (length: number, options?: object) => ArrayBuffer)(
          size,
          how === 'shrunk' ? { maxByteLength: size } : undefined,
        )
        const payload = new Uint8Array(buffer).fill(7)
        let outcome = 'pending'
        const sent = server.sendAsync(payload).then(
          () => (outcome = 'written'),
          (error) => (outcome = error.code),
        )
        if (how === 'shrunk') (buffer as unknown as { resize(length: number): void }).resize(10)
        else structuredClone(buffer, { transfer: [buffer] })
        peer.socket.resume()
        await Promise.race([sent, closed])
        if (outcome === 'pending') await sent
        expect(['written', 'ERR_FRAME_CONNECTION_LOST']).toContain(outcome)
        if (outcome === 'written') {
          await until(() => peer.received.length === size + 4)
          expect(unframe(peer.received)[0].every((byte) => byte === 7)).toBe(true)
        } else {
          const error = await closed
          expect(error).toMatchObject({ code: 'ERR_FRAME_PAYLOAD_DETACHED' })
          expect(error).not.toHaveProperty('cause')
          expect((await peer.ended()).subarray(4).every((byte) => byte === 7)).toBe(true)
        }
      },
    )
  })

  describe('17. memory that was lent and is moved away', () => {
    it.each(moves)('%s of what a batch shows is refused, or nothing is lost with it', async (_, move) => {
      const { raw, accepted } = await stage(backend)
      const peer = await raw()
      const server = await accepted()
      const got: string[] = []
      const moved: ArrayBuffer[] = []
      server.onBatch((batch) => {
        for (let i = 0; i < batch.length; i++) got.push(batch.text(i))
        try {
          moved.push(move(batch.bytes.buffer as ArrayBuffer))
        } catch {
          // Refused.
        }
      })
      for (let i = 0; i < 50; i++) {
        peer.socket.write(Buffer.concat([frame(pattern(3000)), frame(Buffer.from(`last of ${i}`))]))
        await until(() => got.length === 2 * i + 2)
        moved.length = 0
        collectGarbage()
      }
      expect(got.filter((_, i) => i % 2 === 1)).toEqual(Array.from({ length: 50 }, (_, i) => `last of ${i}`))
    })

    it.each(moves)('%s of a large frame that nobody kept loses at most the next one', async (_, move) => {
      const { raw, accepted } = await stage(backend)
      const peer = await raw()
      const server = await accepted()
      const payload = pattern(300_000)
      const wire = frame(payload)
      let lent: ArrayBuffer | undefined
      let whole = 0
      server.onBatch((batch) => {
        expect(batch.view(0).equals(payload)).toBe(true)
        lent ??= batch.bytes.buffer as ArrayBuffer
        whole++
      })
      let outcome = ''
      server.on('error', (error) => {
        outcome = (error as FrameError).code
      })
      peer.socket.write(wire)
      await until(() => whole === 1)
      const before = server.stats().bytesReceived
      peer.socket.write(wire.subarray(0, 250_000))
      await until(() => server.stats().bytesReceived === before + 250_000)
      try {
        move(lent as ArrayBuffer)
      } catch {
        // Refused.
      }
      lent = undefined
      collectGarbage()
      peer.socket.write(wire.subarray(250_000))
      await until(() => whole === 2 || outcome !== '')
      expect(['', 'ERR_FRAME_PAYLOAD_DETACHED']).toContain(outcome)
    })
  })

  it('18. wrong types are a TypeError or their bytes, and the connection goes on', async () => {
    const { pair } = await stage(backend)
    const [client, server] = await pair()
    const shared = new Uint8Array(new SharedArrayBuffer(4)).fill(9)
    const fine = [
      [new Float32Array([1, 2]), 8],
      [new BigInt64Array(2), 16],
      [new DataView(new ArrayBuffer(9), 3), 6],
      [new Uint8ClampedArray(3), 3],
      [shared, 4],
      [new ArrayBuffer(4), 4],
      [new SharedArrayBuffer(4), 4],
      ['é', 2],
      ['\ud800', 3],
      ['', 0],
    ] as const
    const got = frames(server, fine.length + 1)
    const wrong = [
      NaN,
      -1,
      2 ** 53,
      1n,
      true,
      null,
      undefined,
      Symbol('x'),
      () => {},
      [1],
      {},
      { length: 3 },
      { byteLength: 3, buffer: new ArrayBuffer(3) },
      { toString: () => 'text' },
      Object.create(Uint8Array.prototype),
      new Proxy(new Uint8Array(4), {}),
      new String('text'),
    ]
    const accepted: unknown[] = []
    for (const payload of wrong) {
      try {
        client.send(payload as never)
        accepted.push(payload)
      } catch (error) {
        expect(error, String(payload?.constructor)).toBeInstanceOf(TypeError)
        expect(error).toMatchObject({ code: 'ERR_FRAME_PAYLOAD_TYPE' })
      }
    }
    expect(accepted).toEqual([])
    for (const [payload] of fine) client.send(payload as never)
    client.send('last')
    expect((await got).map((payload) => payload.length)).toEqual([...fine.map(([, length]) => length), 4])
    for (const value of [NaN, -1, 2 ** 53, '5', {}, null]) {
      await expect(stage(backend, { maxFrameLength: value as never })).rejects.toThrow(TypeError)
      await expect(stage(backend, { headerTimeout: value as never })).rejects.toThrow(TypeError)
      await expect(stage(backend, { memoryBudget: value as never })).rejects.toThrow(TypeError)
      expect(() => new FrameDecoder({ maxFrameLength: value as never })).toThrow(TypeError)
    }
  })

  it('19. a frame of 10 bytes kept from each of 10,000 reads keeps less than 5 MiB', async () => {
    const { raw, accepted } = await stage(backend)
    const peer = await raw()
    const server = await accepted()
    const kept: Buffer[] = []
    server.on('frame', (payload) => {
      if (payload.length === 10) kept.push(payload)
    })
    // A large neighbour in the same read is what a kept view would pin.
    const chunk = Buffer.concat([frame(pattern(10)), frame(Buffer.alloc(3000))])
    collectGarbage()
    const before = liveBytes()
    for (let i = 1; i <= 10_000; i++) {
      peer.socket.write(chunk)
      await until(() => kept.length === i)
    }
    // V8 frees what array buffers had on a thread of its own, somewhat later.
    await until(() => {
      collectGarbage()
      return liveBytes() - before < 5 * 1024 * 1024
    })
    expect(kept.every((payload) => payload.equals(pattern(10)))).toBe(true)
  })

  it('20. memory that nobody wrote is never sent', async () => {
    const secret = 'SECRET-SECRET!!!'
    const soil = () => {
      for (let i = 0; i < 200; i++) Buffer.allocUnsafe(4000).fill(secret)
      for (let i = 0; i < 20; i++) Buffer.allocUnsafeSlow(300_000).fill(secret)
    }
    const formats = [
      'uint32be',
      'varint',
      { lengthBytes: 4, endian: 'big', lengthOffset: 60 },
      { lengthBytes: 2, endian: 'big', lengthOffset: 3, lengthAdjustment: 2, strip: 9 },
      { lengthBytes: 'varint', lengthOffset: 31 },
    ] as const
    for (const format of formats) {
      const { raw, accepted } = await stage(backend, { format: format as never, maxFrameLength: 100_000 })
      const peer = await raw()
      const server = await accepted()
      const payloads: (Buffer | string)[] = []
      for (let i = 0; i < 60; i++) {
        soil()
        const payload = i % 3 === 0 ? 'é漢😀'.repeat(i * 20) : Buffer.alloc(i % 7 === 0 ? 40_000 : i * 30, 1)
        payloads.push(payload)
        // What fails half-way must leave nothing behind.
        expect(() => server.send('é'.repeat(60_000))).toThrow(code('ERR_FRAME_TOO_LARGE'))
        expect(() => server.send({} as never)).toThrow(TypeError)
        server.send(payload)
      }
      server.end()
      const got = await peer.ended()
      const expected = Buffer.concat(payloads.map((payload) => encodeFrame(payload, format as never)))
      expect(got.equals(expected)).toBe(true)
      expect(got.includes('SECRET')).toBe(false)
    }
  })
}
