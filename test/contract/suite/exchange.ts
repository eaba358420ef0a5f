/** One frame each way for clients that come and go: whatever they do, they are answered with these very bytes. */
import { once } from 'node:events'
import { connect as connectRaw } from 'node:net'
import { request, type ServerOptions } from 'framewire'
import { describe, expect, it } from 'vitest'
import { type Backend, deferred, frame, type RawPeer, unframe, until } from './harness.js'
import { type Bytes, brokenThenables, service } from './service.js'

const OK = '{"res":"ok","msg":"长度相同"}'
const HEADER = '{"res":"fail","msg":"长度有误"}'
const BODY = '{"res":"fail","msg":"长度不相等"}'

/** Deadlines that are over soon. */
const SOON = { headerTimeout: 60, bodyTimeout: 60 }

async function answer(peer: RawPeer): Promise<string> {
  const replies = unframe(await peer.ended())
  expect(peer.received.length).toBe(replies.reduce((sum, reply) => sum + reply.length + 4, 0))
  return replies.map(String).join('|')
}

export function exchangeContract(backend: Backend): void {
  const serve = (options: Partial<ServerOptions<Buffer, Bytes>> = {}) =>
    service(backend, { exchange: 'once', ...options })

  describe('without a handler', () => {
    it.each([
      ['a frame', frame('some text'), OK],
      ['the zero-length frame', Buffer.alloc(4), OK],
      ['a frame with bytes behind it', Buffer.concat([frame('text'), Buffer.from([0, 0])]), OK],
      ['two frames', Buffer.concat([frame('one'), frame('two')]), OK],
    ])('says ok to %s and closes', async (_what, bytes, expected) => {
      const { raw } = await serve()
      const peer = await raw()
      await peer.write(bytes)
      expect(await answer(peer)).toBe(expected)
      expect(peer.errors).toEqual([])
    })

    it.each([
      ['no byte', Buffer.alloc(0), HEADER],
      ['three bytes of a header', Buffer.from([0, 0, 0]), HEADER],
      ['a header alone', Buffer.from([0, 0, 0, 9]), BODY],
      ['a short body', Buffer.from([0, 0, 0, 9, 65]), BODY],
    ])('answers after the deadline when there came %s', async (_what, bytes, expected) => {
      const { raw } = await serve(SOON)
      const peer = await raw()
      if (bytes.length > 0) await peer.write(bytes)
      expect(await answer(peer)).toBe(expected)
    })

    it.each([
      ['nothing', Buffer.alloc(0), HEADER],
      ['three bytes of a header', Buffer.from([0, 0, 0]), HEADER],
      ['a short body', Buffer.from([0, 0, 0, 9, 65]), BODY],
    ])('answers at once when the input ends after %s', async (_what, bytes, expected) => {
      // With the deadlines off only the end of input can be what is answered.
      const { raw } = await serve({ headerTimeout: 0, bodyTimeout: 0 })
      const peer = await raw()
      peer.socket.end(bytes)
      expect(await answer(peer)).toBe(expected)
    })

    it('has both deadlines at a second when nothing else is said', async () => {
      const { raw } = await serve()
      const peers = await Promise.all([raw(), raw()])
      await peers[0].write(Buffer.from([0, 0, 0]))
      await peers[1].write(Buffer.from([0, 0, 0, 9, 65]))
      expect(await Promise.all(peers.map(answer))).toEqual([HEADER, BODY])
    })

    it('counts a second for either deadline when nothing else is said', async () => {
      const told = deferred<unknown>()
      const limits: unknown[] = []
      const { raw } = await serve({
        errorReply: (error) => {
          limits.push([error.code, error.limit])
          if (limits.length === 2) told.resolve(limits.sort())
          return 'late'
        },
      })
      const peers = await Promise.all([raw(), raw()])
      await peers[0].write(Buffer.from([0, 0, 0]))
      await peers[1].write(Buffer.from([0, 0, 0, 9, 65]))
      expect(await told.promise).toEqual([
        ['ERR_FRAME_BODY_TIMEOUT', 1000],
        ['ERR_FRAME_HEADER_TIMEOUT', 1000],
      ])
      expect(await Promise.all(peers.map(answer))).toEqual(['late', 'late'])
    })

    it('does not let dripping bytes put a deadline off', async () => {
      const { raw } = await serve({ headerTimeout: 0, bodyTimeout: 150 })
      const peer = await raw()
      await peer.write(Buffer.from([0, 0, 1, 0]))
      const drip = setInterval(() => peer.socket.write('x'), 20)
      expect(await answer(peer)).toBe(BODY)
      clearInterval(drip)
    })

    it('tells whoever declares too much, with message and code', async () => {
      const { raw, server } = await serve({ maxFrameLength: 1000 })
      const peer = await raw()
      await peer.write(Buffer.from([255, 255, 255, 255]))
      const text = await answer(peer)
      expect(text).toMatch(/^{"res":"fail","msg":"[^"]+","code":"ERR_FRAME_TOO_LARGE"}$/)
      expect(server.stats().faults).toBe(1)
    })
  })

  it('answers with what the handler returns, a promise or not', async () => {
    const { path } = await serve({
      onRequest: (payload) => (payload[0] === 0x61 ? Promise.resolve(`late ${payload}`) : `now ${payload}`),
    })
    expect(String(await request({ backend, path }, 'abc'))).toBe('late abc')
    expect(String(await request({ backend, path }, 'xyz'))).toBe('now xyz')
    expect(String(await request({ backend, path }, ''))).toBe('now ')
  })

  it('gives the first frame to the handler, and nothing behind it', async () => {
    const seen: string[] = []
    const { raw } = await serve({ onRequest: (payload) => void seen.push(String(payload)) })
    const peer = await raw()
    await peer.write(Buffer.concat([frame('first'), frame('second'), Buffer.from([0, 0])]))
    expect(await answer(peer)).toBe('')
    expect(seen).toEqual(['first'])
  })

  it('tells nobody of what is behind the frame', async () => {
    const { raw, server } = await serve()
    const told: unknown[] = []
    const closed = new Promise<void>((resolve) => {
      server.on('connection', (connection) => {
        connection.on('error', (error) => told.push(error))
        connection.on('end', () => told.push('end'))
        connection.on('close', (error) => {
          told.push(error)
          resolve()
        })
      })
    })
    const peer = await raw()
    peer.socket.end(Buffer.concat([frame('x'), Buffer.from([255, 255, 255, 255])]))
    expect(await answer(peer)).toBe(OK)
    await closed
    expect(told).toEqual([undefined])
    expect(server.stats().faults).toBe(0)
  })

  it('lets a handler take longer than the deadlines', async () => {
    const { raw } = await serve({
      ...SOON,
      onRequest: () => new Promise((resolve) => setTimeout(() => resolve('at last'), 200)),
    })
    const peer = await raw()
    // The rest of a second header: its deadlines are over, too.
    await peer.write(Buffer.concat([frame('x'), Buffer.from([0, 0])]))
    expect(await answer(peer)).toBe('at last')
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('the reason is private')
      },
    ],
    ['rejects', () => Promise.reject(new Error('the reason is private'))],
    ...Object.entries(brokenThenables),
  ])('refuses with a code when the handler %s, and tells the server why', async (_how, onRequest) => {
    const { raw, server } = await serve({ onRequest })
    const failed = once(server, 'error')
    const peer = await raw()
    await peer.write(frame('x'))
    expect(await answer(peer)).toBe(
      '{"res":"fail","msg":"The request handler failed","code":"ERR_FRAME_HANDLER"}',
    )
    const [error] = await failed
    expect(error).toMatchObject({ code: 'ERR_FRAME_HANDLER', cause: { message: 'the reason is private' } })
    expect(server.stats().handlerFailures).toBe(1)
  })

  it('refuses when the reply cannot be sent', async () => {
    const { raw } = await serve({ maxFrameLength: 200, onRequest: () => 'x'.repeat(201) })
    const peer = await raw()
    await peer.write(frame('x'))
    expect(await answer(peer)).toContain('"code":"ERR_FRAME_HANDLER"')
  })

  it('has its own texts arrive whatever maxFrameLength is', async () => {
    const { raw } = await serve({ maxFrameLength: 5 })
    const cases: [Buffer, string | RegExp][] = [
      [frame('x'), OK],
      [Buffer.from([0, 0]), HEADER],
      [Buffer.from([0, 0, 0, 5, 65]), BODY],
      [Buffer.from([255, 255, 255, 255]), /^{"res":"fail","msg":".+","code":"ERR_FRAME_TOO_LARGE"}$/],
    ]
    for (const [bytes, expected] of cases) {
      const peer = await raw()
      peer.socket.end(bytes)
      expect(await answer(peer)).toMatch(expected)
    }
  })

  it('says less where the length field cannot say all of it', async () => {
    const { raw } = await serve({ format: 'uint8', maxFrameLength: 5 })
    const peer = await raw()
    // With figures and a hint the refusal is longer than 255 bytes.
    await peer.write('GET / HTTP/1.1\r\n')
    const [size, ...text] = await peer.ended()
    expect(size).toBe(text.length)
    expect(JSON.parse(String(Buffer.from(text)))).toMatchObject({ res: 'fail', code: 'ERR_FRAME_TOO_LARGE' })
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('private')
      },
    ],
    ['returns what is no payload', () => 5 as never],
    ['returns a promise', (async () => 'late') as never],
    ['says more than maxFrameLength', () => 'x'.repeat(201)],
  ])('falls back on its own refusal when errorReply %s', async (_how, errorReply) => {
    const { raw, server } = await serve({ maxFrameLength: 200, errorReply })
    const failed = once(server, 'error')
    const silent = await raw()
    silent.socket.end()
    expect(await answer(silent)).toBe(HEADER)
    expect((await failed)[0]).toMatchObject({ code: 'ERR_FRAME_HANDLER' })
    const large = await raw()
    await large.write(Buffer.from([255, 255, 255, 255]))
    expect(await answer(large)).toContain('"code":"ERR_FRAME_TOO_LARGE"')
  })

  describe('over maxConnections', () => {
    const LIMIT =
      '{"res":"fail","msg":"The server already has maxConnections connections (limit 1)","code":"ERR_FRAME_CONNECTION_LIMIT"}'

    /** A server whose one place is taken until `leave` is called. */
    async function full(options: Partial<ServerOptions<Buffer, Bytes>> = {}) {
      const gate = deferred<string>()
      const begun = deferred()
      const stage = await serve({
        maxConnections: 1,
        onRequest: () => {
          begun.resolve()
          return gate.promise
        },
        ...options,
      })
      const first = await stage.raw()
      await first.write(frame('first'))
      await begun.promise
      return { ...stage, first, leave: () => gate.resolve('served') }
    }

    it('tells so, counts it, and serves the others', async () => {
      const { raw, server, path, first, leave } = await full()
      const dropped = once(server, 'drop')
      const peer = await raw()
      await peer.write(frame('second'))
      expect(await answer(peer)).toBe(LIMIT)
      expect(await dropped).toEqual([{ reason: 'limit', count: 1 }])
      expect(server.stats()).toMatchObject({ connections: 1, accepted: 1, dropped: 1, faults: 0 })
      expect([...server.connections].length).toBe(1)
      leave()
      expect(await answer(first)).toBe('served')
      first.socket.end()
      await first.closed()
      await until(() => server.stats().connections === 0)
      expect(String(await request({ backend, path }, 'third'))).toBe('served')
    })

    it('is told before it has said a word', async () => {
      const { raw, server } = await full({ headerTimeout: 60_000 })
      const peer = await raw()
      expect(await answer(peer)).toBe(LIMIT)
      expect(server.stats()).toMatchObject({ accepted: 1, dropped: 1, faults: 0 })
    })

    it('is read by clients of ours and by those that write on', async () => {
      const { raw, path } = await full({ maxFrameLength: 1 << 24 })
      expect(String(await request({ backend, path }, 'x'))).toBe(LIMIT)
      const peer = await raw()
      peer.socket.end(frame(Buffer.alloc(4 * 1024 * 1024)))
      expect(await answer(peer)).toBe(LIMIT)
      expect(peer.errors).toEqual([])
    })

    it('says what errorReply says, also to a client that says nothing', async () => {
      const { raw } = await full({ ...SOON, errorReply: (error) => error.code })
      const peer = await raw()
      expect(await answer(peer)).toBe('ERR_FRAME_CONNECTION_LIMIT')
    })

    it('keeps no more of them than a few at a time', async () => {
      const { path, server } = await serve({ maxConnections: 0 })
      const sockets = Array.from({ length: 200 }, () => connectRaw({ path, allowHalfOpen: true }))
      const ended = sockets.map((socket) => {
        socket.on('error', () => {})
        socket.resume()
        // They read the refusal and do not close: who comes behind them is closed unread.
        return new Promise((resolve) => socket.once('end', resolve).once('close', resolve))
      })
      for (const socket of sockets) socket.write(frame('x'))
      await Promise.all(ended)
      expect(server.stats()).toMatchObject({ connections: 0, accepted: 0, dropped: 200 })
      for (const socket of sockets) socket.destroy()
    })
  })

  it('says what errorReply says, or nothing', async () => {
    const seen: string[] = []
    const { raw } = await serve({
      headerTimeout: 0,
      errorReply: (error, ctx) => {
        seen.push(error.code)
        return ctx.id > 0 && error.code === 'ERR_FRAME_TOO_LARGE' ? 'too much' : null
      },
    })
    const large = await raw()
    await large.write(Buffer.from([255, 0, 0, 0]))
    expect(await answer(large)).toBe('too much')
    const silent = await raw()
    silent.socket.end()
    expect(await answer(silent)).toBe('')
    expect(seen).toEqual(['ERR_FRAME_TOO_LARGE', 'ERR_FRAME_TRUNCATED'])
  })

  it('is read by a client that is still writing when it is refused', async () => {
    const { raw } = await serve({ maxFrameLength: 1000 })
    const peer = await raw()
    const body = Buffer.alloc(4 * 1024 * 1024)
    body.writeUInt32BE(body.length - 4)
    peer.socket.end(body)
    expect(await answer(peer)).toContain('"code":"ERR_FRAME_TOO_LARGE"')
    expect(peer.errors).toEqual([])
  })

  it('is read by a client that goes on writing frames behind its own', async () => {
    const { raw } = await serve({ onRequest: (payload) => payload })
    const peer = await raw()
    // More than is read at once, and the answer leaves in the middle of it.
    await peer.write(Buffer.concat([frame('x'), Buffer.alloc(4 * 1024 * 1024)]))
    peer.socket.end()
    expect(await answer(peer)).toBe('x')
    expect(peer.errors).toEqual([])
  })

  it('has no quarrel with a client that is gone before its reply', async () => {
    const reply = deferred<string>()
    const arrived = deferred()
    const { raw, server, path } = await serve({
      onRequest: (payload) => {
        if (String(payload) !== 'leaves') return 'here'
        arrived.resolve()
        return reply.promise
      },
    })
    const errors: unknown[] = []
    server.on('error', (error) => errors.push(error))
    const peer = await raw()
    await peer.write(frame('leaves'))
    await arrived.promise
    peer.socket.destroy()
    await peer.closed()
    reply.resolve('for nobody')
    expect(String(await request({ backend, path }, 'stays'))).toBe('here')
    await server.close()
    expect(errors).toEqual([])
    expect(server.stats()).toMatchObject({
      connections: 0,
      accepted: 2,
      faults: 0,
      handlerFailures: 0,
      pendingRequests: 0,
    })
  })

  it('has no quarrel with clients that connect and leave', async () => {
    const { server, path } = await serve()
    for (let i = 0; i < 20; i++) {
      const socket = connectRaw(path)
      await once(socket, 'connect')
      socket.destroy()
    }
    expect(String(await request({ backend, path }, 'x'))).toBe(OK)
    await server.close()
    expect(server.stats()).toMatchObject({ connections: 0, accepted: 21, faults: 0 })
  })

  it('reads and answers JSON', async () => {
    const { path } = await serve({
      serialization: 'json',
      onRequest: (value) => ({ got: value }) as never,
    })
    expect(await request({ backend, path, serialization: 'json' }, { task: 'é' })).toEqual({
      got: { task: 'é' },
    })
    const refused = await request({ backend, path, serialization: 'text' }, '{nonsense')
    expect(refused).toContain('"code":"ERR_FRAME_SERIALIZATION"')
  })

  it('answers hundreds at a time, each its own', async () => {
    const { path, server } = await serve({ onRequest: (payload) => `re: ${payload}` })
    const asked = Array.from({ length: 300 }, (_, i) => `number ${i}`)
    const replies = await Promise.all(asked.map((text) => request({ backend, path }, text)))
    expect(replies.map(String)).toEqual(asked.map((text) => `re: ${text}`))
    await server.close()
    expect(server.stats()).toMatchObject({ connections: 0, accepted: 300, requests: 300, framesSent: 300 })
  })

  it('serves whom it has accepted when it is closed', async () => {
    const reply = deferred<string>()
    const arrived = deferred()
    const { raw, server } = await serve({
      onRequest: () => {
        arrived.resolve()
        return reply.promise
      },
    })
    const peer = await raw()
    await peer.write(frame('x'))
    await arrived.promise
    const closed = server.close()
    reply.resolve('still here')
    expect(await answer(peer)).toBe('still here')
    await closed
  })
}
