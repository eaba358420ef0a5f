/** Faults of the stream itself: how it is cut, ended and reset. Frames are whole or are not delivered at all. */
import { connect as connectRaw, type Socket } from 'node:net'
import { connect, createServer, encodeFrame } from 'framewire'
import { expect, it, onTestFinished } from 'vitest'
import {
  type Backend,
  closing,
  deferred,
  frame,
  frames,
  pattern,
  randomizer,
  settled,
  stage,
  trace,
  unframe,
  until,
} from '../../contract/suite/harness.js'

const three = Buffer.concat([frame('first'), frame(''), frame('the third')])
const threeEvents = ['frame first', 'frame ', 'frame the third', 'close']

const FORMATS = [
  'uint8',
  'uint16be',
  'uint24be',
  'uint32be',
  'uint32le',
  'uint64be',
  'varint',
  'workerman',
] as const

export function streamFaults(backend: Backend): void {
  it('1. every split of three frames, and one byte at a time, delivers them whole and in order', async () => {
    const { raw, accepted } = await stage(backend)
    for (let split = 1; split <= three.length; split++) {
      const peer = await raw()
      const server = await accepted()
      const events = trace(server)
      const closed = closing(server)
      const pieces =
        split < three.length
          ? [three.subarray(0, split), three.subarray(split)]
          : Array.from(three, (byte) => Buffer.of(byte))
      let received = 0
      for (const piece of pieces) {
        await peer.write(piece)
        received += piece.length
        await until(() => server.stats().bytesReceived === received)
      }
      peer.socket.end()
      await closed
      expect(events).toEqual(threeEvents)
    }
  })

  it('2. random chunks, sizes and formats deliver every byte as it was sent', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = randomizer(seed)
      const format = FORMATS[seed % FORMATS.length]
      const most = format === 'uint8' ? 255 : format === 'uint16be' ? 65_535 : 150_000
      const { raw, accepted } = await stage(backend, { format })
      const sent = Array.from({ length: 30 }, (_, i) =>
        pattern(Math.floor(random() ** 6 * most), seed * 100 + i),
      )
      const stream = Buffer.concat(sent.map((payload) => encodeFrame(payload, format)))
      const peer = await raw()
      const server = await accepted()
      const got = frames(server, sent.length)
      for (let at = 0; at < stream.length; ) {
        const size = 1 + Math.floor(random() ** 4 * 90_000)
        await peer.write(stream.subarray(at, at + size))
        at += size
      }
      const received = await got
      for (let i = 0; i < sent.length; i++)
        expect(received[i].equals(sent[i]), `seed ${seed}, frame ${i}`).toBe(true)
    }
  })

  it('9. an end at any byte is clean on a boundary only, and tells what had arrived', async () => {
    const { raw, accepted, server: owner } = await stage(backend)
    const stream = Buffer.concat([frame('first'), frame('2nd')])
    for (let cut = 0; cut <= stream.length; cut++) {
      const peer = await raw()
      const server = await accepted()
      const events = trace(server)
      const closed = closing(server)
      peer.socket.end(stream.subarray(0, cut))
      const error = (await closed) as { received?: number; declared?: number } | undefined
      const whole = ['frame first', 'frame 2nd'].slice(0, cut >= stream.length ? 2 : cut >= 9 ? 1 : 0)
      if ([0, 9, stream.length].includes(cut)) {
        expect(events).toEqual([...whole, 'close'])
        continue
      }
      expect(events).toEqual([...whole, 'error ERR_FRAME_TRUNCATED', 'close ERR_FRAME_TRUNCATED'])
      const at = cut < 9 ? cut : cut - 9
      expect([error?.declared, error?.received]).toEqual(at < 4 ? [undefined, at] : [cut < 9 ? 5 : 3, at - 4])
    }
    await until(() => owner.stats().connections === 0)
    expect(owner.stats().heldBytes).toBe(0)
  })

  it('10. a reset in mid-frame: whole frames first, then each pending send settles once, with the exact count', async () => {
    const { raw, accepted } = await stage(backend)
    const peer = await raw()
    const server = await accepted()
    const events = trace(server)
    peer.socket.pause()
    const size = 50_004
    const outcomes: string[] = []
    const sends: Promise<unknown>[] = []
    while (server.stats().bytesQueued < 1_500_000) {
      const i = outcomes.push('pending') - 1
      const settle = (word: string) => {
        outcomes[i] = outcomes[i] === 'pending' ? word : `${outcomes[i]} and ${word}`
      }
      sends.push(
        server.sendAsync(Buffer.alloc(size - 4)).then(
          () => settle('written'),
          (error) => settle(error.neverWritten ? 'never' : 'unknown'),
        ),
      )
      await settled()
    }
    await peer.write(Buffer.concat([frame('a'), frame('b'), frame('cut off').subarray(0, 6)]))
    await until(() => server.stats().framesReceived === 2)
    const closed = closing(server)
    peer.socket.destroy()
    expect(await closed).toMatchObject({ code: 'ERR_FRAME_CONNECTION_LOST' })
    await Promise.all(sends)
    expect(events).toEqual([
      'frame a',
      'frame b',
      'error ERR_FRAME_CONNECTION_LOST',
      'close ERR_FRAME_CONNECTION_LOST',
    ])
    const { bytesWritten } = server.stats()
    // node:net does not tell how far the write had come that a reset has cut off: at most one group of 256 KiB.
    const unclear = (i: number) => (backend === 'js' && outcomes[i] === 'unknown' ? 256 * 1024 : 0)
    expect(outcomes).toEqual(
      outcomes.map((_, i) =>
        i * size >= bytesWritten
          ? 'never'
          : (i + 1) * size <= bytesWritten - unclear(i)
            ? 'written'
            : 'unknown',
      ),
    )
    expect(outcomes.slice(0, outcomes.indexOf('never')).join(' ')).toMatch(/^(written ?)+(unknown ?)*$/)
    expect(outcomes.at(-1)).toBe('never')
  })

  it('10. a reset of a TCP connection does the same', async () => {
    const server = createServer({ backend })
    onTestFinished(() => server.close({ timeout: 0 }))
    const address = (await server.listen({ port: 0, host: '127.0.0.1' })) as { port: number }
    const arrived = deferred<string[]>()
    const over = deferred<Error | undefined>()
    server.on('connection', (connection) => {
      arrived.resolve(trace(connection))
      connection.on('close', over.resolve)
    })
    const socket: Socket = connectRaw(address.port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    socket.write(Buffer.concat([frame('a'), frame('cut off').subarray(0, 6)]))
    const events = await arrived.promise
    await until(() => events.length === 1)
    socket.resetAndDestroy()
    expect(await over.promise).toMatchObject({ code: 'ERR_FRAME_CONNECTION_LOST' })
    expect(events).toEqual(['frame a', 'error ERR_FRAME_CONNECTION_LOST', 'close ERR_FRAME_CONNECTION_LOST'])
  })

  it('11. replies arrive after the client has ended its side', async () => {
    const { raw, accepted } = await stage(backend)
    const peer = await raw()
    const server = await accepted()
    const large = pattern(1_000_000)
    server.on('frame', (payload) => server.send(payload))
    peer.socket.end(Buffer.concat([three, frame(large)]))
    const replies = unframe(await peer.ended())
    expect(replies.slice(0, 3).map(String)).toEqual(['first', '', 'the third'])
    expect(replies[3].equals(large)).toBe(true)
    expect(replies.length).toBe(4)
  })

  it("12. a paused receiver keeps the sender's queue at its high-water mark; one drain, and nothing is lost", async () => {
    const { path, accepted } = await stage(backend)
    const highWaterMark = 128 * 1024
    const client = await connect({ backend, path, highWaterMark })
    onTestFinished(() => void client.destroy())
    const server = await accepted()
    server.pause()
    const size = 2000
    let sent = 0
    let drains = 0
    const fill = () => {
      while (client.send(pattern(size, sent++))) {}
    }
    const refill = () => {
      drains++
      fill()
    }
    client.on('drain', refill)
    fill()
    // What the kernel's own buffer takes drains; then nothing moves any more.
    for (let before = -1; before !== drains; ) {
      before = drains
      for (let turn = 0; turn < 50; turn++) {
        await settled()
        expect(client.stats().bytesQueued).toBeLessThan(highWaterMark + size + 4)
      }
    }
    client.off('drain', refill)
    drains = 0
    client.on('drain', () => drains++)
    const got: Buffer[] = []
    const all = deferred()
    server.on('frame', (payload) => {
      got.push(payload)
      if (got.length === sent) all.resolve()
    })
    const drained = deferred()
    client.once('drain', () => drained.resolve())
    server.resume()
    await Promise.all([all.promise, drained.promise])
    expect(drains).toBe(1)
    for (let i = 0; i < sent; i++) expect(got[i].equals(pattern(size, i))).toBe(true)
  })
}
