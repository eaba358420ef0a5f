/** Limits and deadlines: what is over them is refused with its code, and costs neither memory nor the others. */
import { describe, expect, it } from 'vitest'
import { type Backend, closing, deferred, frame, frames, pattern, stage, trace, until } from './harness.js'

const lengthOf = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function limitsContract(backend: Backend): void {
  describe('protocol errors', () => {
    it.each([101, 0x7fffffff, 0x80000000, 0xffffffff])(
      'refuses a declared length of %i',
      async (declared) => {
        const { raw, accepted } = await stage(backend, { maxFrameLength: 100 })
        const peer = await raw()
        const server = await accepted()
        const events = trace(server)
        const closed = closing(server)
        await peer.write(
          Buffer.concat([frame('a'), frame('b'), lengthOf(declared), Buffer.from('some of it')]),
        )
        const error = await closed
        expect(error).toMatchObject({
          code: 'ERR_FRAME_TOO_LARGE',
          declared,
          limit: 100,
          connectionId: server.id,
        })
        expect(events).toEqual([
          'frame a',
          'frame b',
          'error ERR_FRAME_TOO_LARGE',
          'close ERR_FRAME_TOO_LARGE',
        ])
      },
    )

    it('delivers nothing behind the first error', async () => {
      const { raw, accepted } = await stage(backend, { maxFrameLength: 100 })
      const peer = await raw()
      const server = await accepted()
      const events = trace(server)
      const closed = closing(server)
      await peer.write(Buffer.concat([frame('a'), lengthOf(1000), frame('b'), frame('c')]))
      peer.socket.end(frame('d'))
      await closed
      expect(events).toEqual(['frame a', 'error ERR_FRAME_TOO_LARGE', 'close ERR_FRAME_TOO_LARGE'])
    })

    it('is clean only when the input ends between frames', async () => {
      const { raw, accepted } = await stage(backend)
      const stream = Buffer.concat([frame('first'), frame('2nd')])
      for (let cut = 0; cut <= stream.length; cut++) {
        const peer = await raw()
        const server = await accepted()
        const events = trace(server)
        const closed = closing(server)
        peer.socket.end(stream.subarray(0, cut))
        const error = (await closed) as { received?: number; declared?: number } | undefined
        const whole = cut >= stream.length ? ['frame first', 'frame 2nd'] : cut >= 9 ? ['frame first'] : []
        const isClean = cut === 0 || cut === 9 || cut === stream.length
        const end = isClean ? ['close'] : ['error ERR_FRAME_TRUNCATED', 'close ERR_FRAME_TRUNCATED']
        expect(events).toEqual([...whole, ...end])
        if (isClean) continue
        const at = cut < 9 ? cut : cut - 9
        expect([error?.declared, error?.received]).toEqual(
          at < 4 ? [undefined, at] : [cut < 9 ? 5 : 3, at - 4],
        )
      }
    })

    it('says what the peer probably speaks', async () => {
      const { raw, accepted } = await stage(backend, { maxFrameLength: 65536 })
      const peer = await raw()
      const closed = closing(await accepted())
      await peer.write('GET / HTTP/1.1\r\n')
      expect(await closed).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE', hint: expect.stringMatching(/HTTP/) })
    })

    it('lets a peer that is still writing read what was sent before the error', async () => {
      const { raw, accepted } = await stage(backend, { maxFrameLength: 100, errorReply: () => 'refused' })
      const peer = await raw()
      const server = await accepted()
      server.on('frame', (payload) => server.send(payload))
      const flood = Buffer.alloc(1_000_000)
      await peer.write(frame('hello'))
      await peer.write(lengthOf(5_000_000))
      for (let i = 0; i < 5; i++) await peer.write(flood)
      const answers = await peer.ended()
      expect(answers.toString('latin1')).toBe(
        Buffer.concat([frame('hello'), frame('refused')]).toString('latin1'),
      )
      expect(peer.errors).toEqual([])
    })
  })

  describe('deadlines', () => {
    const refuses = (name: string, options: object, code: string, stimulus: Buffer, received?: number) =>
      it(name, async () => {
        const { raw, accepted } = await stage(backend, options)
        const peer = await raw()
        const server = await accepted()
        const events = trace(server)
        const closed = closing(server)
        const start = performance.now()
        if (stimulus.length > 0) await peer.write(stimulus)
        const error = (await closed) as { received?: number } | undefined
        expect(performance.now() - start).toBeGreaterThan(70)
        expect(events.at(-1)).toBe(`close ${code}`)
        expect(error?.received).toBe(received)
      })

    refuses('first byte', { firstByteTimeout: 80 }, 'ERR_FRAME_FIRST_BYTE_TIMEOUT', Buffer.alloc(0))
    refuses('header', { headerTimeout: 80 }, 'ERR_FRAME_HEADER_TIMEOUT', Buffer.alloc(3), 3)
    refuses('body', { bodyTimeout: 80 }, 'ERR_FRAME_BODY_TIMEOUT', frame('12345').subarray(0, 8), 4)
    refuses('idle, never a byte', { idleTimeout: 80 }, 'ERR_FRAME_IDLE_TIMEOUT', Buffer.alloc(0))
    refuses('idle, after a frame', { idleTimeout: 80 }, 'ERR_FRAME_IDLE_TIMEOUT', frame('a'))

    it('are not extended by bytes that drip in', async () => {
      const { raw, accepted } = await stage(backend, { bodyTimeout: 150 })
      const peer = await raw()
      const server = await accepted()
      server.onBatch(() => {})
      const failed = new Promise<Error & { received?: number }>((resolve) => server.once('error', resolve))
      await peer.write(lengthOf(1000))
      const start = performance.now()
      const drip = setInterval(() => peer.socket.write('x'), 20)
      const error = await failed
      clearInterval(drip)
      expect(error).toMatchObject({ code: 'ERR_FRAME_BODY_TIMEOUT', declared: 1000, limit: 150 })
      expect(error.received).toBeGreaterThan(0)
      expect(performance.now() - start).toBeLessThan(1000)
    })

    it('leave a connection alone that keeps them', async () => {
      const { pair } = await stage(backend, {
        firstByteTimeout: 200,
        headerTimeout: 200,
        bodyTimeout: 200,
        idleTimeout: 200,
        writeTimeout: 200,
      })
      const [client, server] = await pair()
      server.on('frame', (payload) => server.send(payload))
      const end = performance.now() + 700
      await new Promise<void>((resolve, reject) => {
        client.on('frame', () => {
          if (performance.now() > end) resolve()
          else setTimeout(() => client.send('again'), 20)
        })
        server.on('close', (error) => reject(error ?? new Error('closed')))
        client.send('first')
      })
    })

    it('do not run while the consumer has paused', async () => {
      const { raw, accepted } = await stage(backend, { bodyTimeout: 80 })
      const peer = await raw()
      const server = await accepted()
      const events = trace(server)
      await peer.write(frame('12345').subarray(0, 8))
      await until(() => server.stats().bytesReceived >= 8)
      server.pause()
      await new Promise((resolve) => setTimeout(resolve, 200))
      expect(events).toEqual([])
      const got = new Promise((resolve) => server.once('frame', resolve))
      server.resume()
      await peer.write('5')
      expect(String(await got)).toBe('12345')
    })

    it('close a connection whose peer does not read', async () => {
      const { raw, accepted } = await stage(backend, { writeTimeout: 80 })
      const peer = await raw()
      const server = await accepted()
      peer.socket.pause()
      server.onBatch(() => {})
      const closed = closing(server)
      server.send(Buffer.alloc(4_000_000))
      expect(await closed).toMatchObject({ code: 'ERR_FRAME_WRITE_TIMEOUT', limit: 80 })
    })
  })

  describe('deadlines that begin when the event loop was busy', () => {
    /** So long that what counts from its beginning is over behind it. */
    const work = () => {
      for (const end = performance.now() + 600; performance.now() < end; );
    }

    it('for writing are over no sooner', async () => {
      const { raw, server } = await stage(backend, {
        writeTimeout: 500,
        onRequest: () => {
          work()
          return Buffer.alloc(8_000_000)
        },
      })
      const peer = await raw()
      await peer.write(frame('work'))
      await until(() => peer.socket.bytesRead === 8_000_004)
      expect(server.stats().faults).toBe(0)
    })

    it('for the next frame are over no sooner', async () => {
      const replied = deferred<number>()
      const { raw } = await stage(backend, {
        idleTimeout: 500,
        onRequest: () => {
          work()
          replied.resolve(performance.now())
          return 'done'
        },
      })
      const peer = await raw()
      await peer.write(frame('work'))
      const since = await replied.promise
      await peer.ended()
      expect(performance.now() - since).toBeGreaterThan(499)
    })
  })

  describe('memory', () => {
    it('of partial frames is bounded over all connections, and the newest offender goes', async () => {
      const { server, raw, accepted } = await stage(backend, { memoryBudget: 1_000_000 })
      const first = await raw()
      const patient = await accepted()
      patient.onBatch(() => {})
      await first.write(Buffer.concat([lengthOf(600_000), Buffer.alloc(400_000)]))
      await until(() => patient.stats().bytesReceived >= 400_004)
      const second = await raw()
      const offender = await accepted()
      offender.onBatch(() => {})
      const closed = closing(offender)
      second.socket.write(Buffer.concat([lengthOf(5_000_000), pattern(3_000_000)]))
      expect(await closed).toMatchObject({ code: 'ERR_FRAME_MEMORY_BUDGET', limit: 1_000_000 })
      expect(patient.closed).toBe(false)
      const got = new Promise<void>((resolve) => {
        const poll = () => (patient.stats().framesReceived === 1 ? resolve() : setImmediate(poll))
        poll()
      })
      await first.write(Buffer.alloc(200_000))
      await got
      expect(server.stats().heldBytes).toBe(0)
    })

    it('of queued frames is bounded', async () => {
      const { raw, accepted } = await stage(backend, { memoryBudget: 3_000_000 })
      const peer = await raw()
      peer.socket.pause()
      const server = await accepted()
      server.onBatch(() => {})
      const closed = closing(server)
      const push = setInterval(() => server.send(Buffer.alloc(500_000)), 1)
      const error = await closed
      clearInterval(push)
      expect(error).toMatchObject({ code: 'ERR_FRAME_MEMORY_BUDGET' })
    })

    it('of a declared length is not taken before the bytes are there', async () => {
      const { server, raw, accepted } = await stage(backend, { maxFrameLength: 1024 * 1024 * 1024 })
      const peer = await raw()
      const connection = await accepted()
      connection.onBatch(() => {})
      await peer.write(Buffer.concat([lengthOf(1024 * 1024 * 1024), Buffer.alloc(100)]))
      await until(() => connection.stats().bytesReceived >= 104)
      expect(server.stats().heldBytes).toBeLessThan(64 * 1024)
    })
  })

  it('takes nobody where maxConnections is 0', async () => {
    const { server, raw } = await stage(backend, { maxConnections: 0 })
    const drops: string[] = []
    server.on('drop', ({ reason, count }) => drops.push(`${reason} ${count}`))
    const refused = await raw()
    await refused.ended()
    expect(drops).toEqual(['limit 1'])
    expect(server.stats()).toMatchObject({ accepted: 0, dropped: 1 })
  })

  it('turns away connections over maxConnections, counts them, and serves those it has', async () => {
    const { server, raw, accepted } = await stage(backend, { maxConnections: 2 })
    const drops: string[] = []
    server.on('drop', ({ reason, count }) => drops.push(`${reason} ${count}`))
    const peers = [await raw(), await raw()]
    const connections = [await accepted(), await accepted()]
    const refused = await raw()
    await refused.ended()
    expect(drops).toEqual(['limit 1'])
    const got = frames(connections[0], 1)
    await peers[0].write(frame('still here'))
    expect(String((await got)[0])).toBe('still here')
    expect(server.stats()).toMatchObject({ connections: 2, dropped: 1 })
    const closed = closing(connections[1])
    peers[1].socket.destroy()
    connections[1].onBatch(() => {})
    await closed
    await raw()
    await accepted()
  })

  it('serves others while one sends millions of empty frames', async () => {
    const { raw, accepted } = await stage(backend)
    const flooder = await raw()
    const flooded = await accepted()
    let count = 0
    flooded.onBatch((batch) => {
      count += batch.length
    })
    const client = await raw()
    const server = await accepted()
    server.on('frame', (payload) => server.send(payload))
    const chunk = Buffer.alloc(4 * 100_000)
    let served = 0
    client.socket.on('data', () => {
      served++
      client.socket.write(frame('ping'))
    })
    client.socket.write(frame('ping'))
    for (let i = 0; i < 20; i++) await flooder.write(chunk)
    await until(() => count >= 2_000_000)
    expect(count).toBe(2_000_000)
    expect(served).toBeGreaterThan(10)
  })
}
