/** Clients: requests matched to replies by order, what a lost connection means for each, and how one comes back. */
import { getEventListeners, once } from 'node:events'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { type Client, type ClientOptions, connect, createClient, createServer, request } from 'framewire'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Backend, deferred, frame, pattern, settled, uncaught, unframe, until } from './harness.js'
import { type Bytes, emitted, folder, puppet, rejection, service } from './service.js'

const LOST = { name: 'FrameError', code: 'ERR_FRAME_CONNECTION_LOST' }
const INVALID = { name: 'TypeError', code: 'ERR_FRAME_OPTION_INVALID' }

export function clientContract(backend: Backend): void {
  const client = (path: string, options: Partial<ClientOptions> = {}): Client<Buffer, Bytes> => {
    const made = createClient({ backend, path, ...options } as ClientOptions & { serialization?: 'buffer' })
    onTestFinished(() => made.close({ timeout: 0 }))
    return made
  }
  /** Comes back at once. */
  const EAGER = { reconnect: { initial: 1, max: 1 } }

  describe('connect', () => {
    it('rejects with what the system says', async () => {
      const path = join(await folder(), 's')
      expect(await rejection(connect({ backend, path }))).toMatchObject({
        code: 'ENOENT',
        syscall: 'connect',
      })
      expect(await rejection(request({ backend, path }, 'x'))).toMatchObject({
        code: 'ENOENT',
        syscall: 'connect',
      })
    })

    it('ends with its signal', async () => {
      const { path } = await service(backend, { onRequest: (payload) => payload })
      const reason = new Error('not today')
      expect(await rejection(connect({ backend, path, signal: AbortSignal.abort(reason) }))).toBe(reason)
      const abort = new AbortController()
      const connection = await connect({ backend, path, signal: abort.signal })
      abort.abort()
      connection.send('still there')
      const [reply] = await once(connection, 'frame')
      expect(String(reply)).toBe('still there')
      connection.destroy()
    })

    it.each([
      [{}],
      [{ path: 's', port: 1 }],
      [{ path: 5 }],
      [{ port: 0 }],
      [{ port: 70_000 }],
      [{ port: 1, host: 1 }],
      [{ path: 's', connectTimeout: -1 }],
      [{ path: 's', connectTimeout: 0.5 }],
      [{ path: 's', idleTimeout: 0.5 }],
      [{ path: 's', backend: 'any' }],
      [null],
    ])('refuses %j', async (options) => {
      expect(await rejection(connect(options as never))).toMatchObject(INVALID)
      expect(() => createClient(options as never)).toThrow(expect.objectContaining(INVALID))
    })

    it.each([
      [{ connections: 0 }],
      [{ requestTimeout: 'soon' }],
      [{ requestTimeout: 0.5 }],
      [{ reconnect: { initial: 0.5 } }],
      [{ reconnect: { initial: 0 } }],
      [{ reconnect: { max: 0 } }],
      [{ reconnect: { max: 1.5 } }],
      [{ reconnect: 5 }],
      [{ reconnect: { jitter: 2 } }],
      [{ maxQueued: -1 }],
    ])('refuses to make a client with %j', (options) => {
      expect(() => createClient({ path: 's', ...options } as never)).toThrow(expect.objectContaining(INVALID))
    })
  })

  it('refuses to try again without a delay', () => {
    const make = () => createClient({ backend, path: 's', reconnect: { initial: 0 } })
    expect(make).toThrow(
      'reconnect.initial must be a whole number of milliseconds from 1 to 2147483647, not 0',
    )
  })

  describe('request', () => {
    it('takes the first frame for its reply and closes', async () => {
      const path = join(await folder(), 's')
      const ended = deferred()
      await puppet(path, (socket) => {
        socket.on('data', () => socket.write(Buffer.concat([frame('reply'), frame('more')])))
        socket.on('close', () => ended.resolve())
      })
      expect(String(await request({ backend, path }, 'x'))).toBe('reply')
      await ended.promise
    })

    it('does not wait longer than its timeout for a peer that answers what it does not read', async () => {
      const path = join(await folder(), 's')
      const payload = pattern(2_000_000)
      const ended = deferred<number>()
      await puppet(path, (socket) => {
        socket.pause()
        socket.write(frame('reply'))
        socket.on('error', () => {})
        socket.on('close', () => ended.resolve(socket.bytesRead))
        setTimeout(() => socket.resume(), 600)
      })
      expect(String(await request({ backend, path }, payload, { timeout: 200 }))).toBe('reply')
      expect(await ended.promise).toBeLessThan(payload.length)
    })

    it('says that it was written when the peer goes without a reply', async () => {
      const path = join(await folder(), 's')
      await puppet(path, (socket) => socket.on('data', () => socket.end()))
      expect(await rejection(request({ backend, path }, 'x'))).toMatchObject({ ...LOST, neverWritten: false })
    })

    it('rejects with what is wrong with the reply', async () => {
      const path = join(await folder(), 's')
      await puppet(path, (socket) => socket.on('data', () => socket.write(frame('x'.repeat(200)))))
      const error = await rejection(request({ backend, path, maxFrameLength: 100 }, 'x'))
      expect(error).toMatchObject({
        code: 'ERR_FRAME_TOO_LARGE',
        declared: 200,
        limit: 100,
        connectionId: expect.any(Number),
      })
    })

    it('ends after its timeout, and with its signal', async () => {
      const path = join(await folder(), 's')
      await puppet(path, () => {})
      expect(await rejection(request({ backend, path }, 'x', { timeout: 30 }))).toMatchObject({
        code: 'ERR_FRAME_REQUEST_TIMEOUT',
        limit: 30,
      })
      const abort = new AbortController()
      const pending = rejection(request({ backend, path }, 'x', { signal: abort.signal }))
      abort.abort(new Error('enough'))
      expect(await pending).toMatchObject({ message: 'enough' })
    })

    it('refuses payloads that cannot be sent', async () => {
      const { path } = await service(backend, { onRequest: (payload) => payload })
      expect(await rejection(request({ backend, path }, 5 as never))).toMatchObject({
        name: 'TypeError',
        code: 'ERR_FRAME_PAYLOAD_TYPE',
      })
      expect(await rejection(request({ backend, path, maxFrameLength: 10 }, 'x'.repeat(11)))).toMatchObject({
        code: 'ERR_FRAME_TOO_LARGE',
      })
    })
  })

  describe('client', () => {
    it('matches thousands of pipelined replies by order', async () => {
      const { path } = await service(backend, {
        onRequest: (payload) => (payload[0] & 1 ? `re ${payload}` : Promise.resolve(`re ${payload}`)),
      })
      const one = client(path)
      const asked = Array.from({ length: 5000 }, (_, i) => `${i}`)
      const replies = await Promise.all(asked.map((text) => one.request(text)))
      expect(replies.map(String)).toEqual(asked.map((text) => `re ${text}`))
      expect(one.stats()).toMatchObject({
        backend,
        connections: 1,
        pending: 0,
        queued: 0,
        requests: 5000,
        replies: 5000,
      })
    })

    it('spreads requests over its connections', async () => {
      const gate = deferred<string>()
      const ids = new Set<number>()
      const all = deferred()
      const { path } = await service(backend, {
        onRequest: (_payload, ctx) => {
          ids.add(ctx.id)
          if (ids.size === 3) all.resolve()
          return gate.promise
        },
      })
      const three = client(path, { connections: 3 })
      await emitted(three, 'connect', 3)
      const replies = Promise.all(Array.from({ length: 9 }, () => three.request('x')))
      await all.promise
      gate.resolve('y')
      expect((await replies).map(String)).toEqual(Array(9).fill('y'))
      expect(three.stats().connections).toBe(3)
    })

    it('carries JSON, and frames that nobody answers', async () => {
      const seen: unknown[] = []
      const path = join(await folder(), 's')
      const server = createServer({
        backend,
        serialization: 'json',
        onRequest: (value) => {
          seen.push(value)
          return (value as { note?: boolean }).note ? undefined : { seen: seen.length }
        },
      })
      onTestFinished(() => server.close({ timeout: 0 }))
      await server.listen(path)
      const one = createClient({ backend, path, serialization: 'json' })
      onTestFinished(() => one.close({ timeout: 0 }))
      one.send({ note: true })
      expect(await one.request({ a: [1] })).toEqual({ seen: 2 })
      expect(seen).toEqual([{ note: true }, { a: [1] }])
      expect(one.stats()).toMatchObject({ sends: 1, requests: 1, replies: 1, discarded: 0 })
    })

    it('waits for a server that is not there yet', async () => {
      const path = join(await folder(), 's')
      const one = client(path, EAGER)
      const errors: unknown[] = []
      one.on('error', (error) => errors.push(error))
      const payload = Buffer.from('early')
      const early = one.request(payload)
      payload.fill('x')
      await emitted(one, 'reconnecting')
      const server = createServer({ backend, onRequest: (asked) => asked })
      onTestFinished(() => server.close({ timeout: 0 }))
      await server.listen(path)
      expect(String(await early)).toBe('early')
      expect(errors.length).toBeGreaterThan(0)
      expect(errors[0]).toMatchObject({ code: 'ENOENT' })
    })

    it('keeps the order when a request in the middle is given up, and drops its late reply', async () => {
      const gate = deferred<string>()
      const { path } = await service(backend, {
        onRequest: (payload) => (String(payload) === 'slow' ? gate.promise : payload),
      })
      const one = client(path)
      await one.request('warm')
      const abort = new AbortController()
      const slow = rejection(one.request('slow', { timeout: 40 }))
      const aborted = rejection(one.request('unwanted', { signal: abort.signal }))
      const behind = one.request('behind')
      abort.abort(new Error('unwanted'))
      expect(await aborted).toMatchObject({ message: 'unwanted' })
      expect(await slow).toMatchObject({ code: 'ERR_FRAME_REQUEST_TIMEOUT', limit: 40, neverWritten: false })
      expect(one.stats()).toMatchObject({ pending: 3, timeouts: 1 })
      gate.resolve('too late')
      expect(String(await behind)).toBe('behind')
      expect(one.stats()).toMatchObject({ pending: 0, replies: 2, discarded: 2 })
    })

    it('has one listener of a signal that its requests share, and none behind the last of them', async () => {
      const { path } = await service(backend, { onRequest: (payload) => payload })
      const one = client(path)
      const { signal } = new AbortController()
      const listeners = () => getEventListeners(signal, 'abort').length
      const asked = Array.from({ length: 50 }, () => one.request('x', { signal }))
      expect(listeners()).toBe(1)
      expect(await Promise.all(asked)).toHaveLength(50)
      expect(listeners()).toBe(0)
      await one.request('again', { signal })
      expect(listeners()).toBe(0)
    })

    it('gives up a connection whose oldest reply stays away, and asks another', async () => {
      const path = join(await folder(), 's')
      await puppet(path, (socket, n) => {
        if (n > 0) socket.on('data', () => socket.write(frame('alive')))
      })
      const one = client(path, { ...EAGER, requestTimeout: 500 })
      const lost = emitted(one, 'disconnect')
      const overdue = rejection(one.request('x', { timeout: 30 }))
      const second = rejection(one.request('y', { timeout: 200 }))
      expect(await overdue).toMatchObject({ code: 'ERR_FRAME_REQUEST_TIMEOUT', neverWritten: false })
      await second
      // Sent long after the first: it has time left when that one has been waited for long enough.
      const behind = rejection(one.request('z'))
      await lost
      expect(await behind).toMatchObject({ ...LOST, cause: { code: 'ERR_FRAME_REQUEST_TIMEOUT' } })
      expect(String(await one.request('z'))).toBe('alive')
    })

    it.each([[{}], [{ requestTimeout: 20 }]])(
      'does not give up a connection while a request there still has time: %j',
      async (options) => {
        const gate = deferred<string>()
        const { path } = await service(backend, {
          onRequest: (payload) => (String(payload) === 'slow' ? gate.promise : payload),
        })
        const one = client(path, options)
        const slow = rejection(one.request('slow', { timeout: 20 }))
        const patient = one.request('patient', { timeout: 30_000 })
        await slow
        // Several times as long as the first was waited for.
        expect(await rejection(one.request('other', { timeout: 100 }))).toMatchObject({
          code: 'ERR_FRAME_REQUEST_TIMEOUT',
        })
        expect(one.stats().disconnects).toBe(0)
        gate.resolve('late')
        expect(String(await patient)).toBe('patient')
      },
    )

    it('does not take its own end for a loss', async () => {
      const { path } = await service(backend, { onRequest: () => new Promise(() => {}) })
      const one = client(path)
      let told = 0
      one.on('disconnect', () => told++)
      const pending = rejection(one.request('x'))
      await until(() => one.stats().connects > 0)
      await one.close({ timeout: 20 })
      expect(await pending).toMatchObject(LOST)
      expect([told, one.stats().disconnects]).toEqual([0, 0])
    })

    it.each([1000, 'x', true, null])('rejects %j in place of options', async (options) => {
      const { path } = await service(backend, { onRequest: (payload) => payload })
      expect(await rejection(client(path).request('x', options as never))).toMatchObject(INVALID)
    })

    it('rejects, and never throws, for a time that is none', async () => {
      const { path } = await service(backend, { onRequest: (payload) => payload })
      const one = client(path)
      for (const timeout of [-1, 0.5, Number.NaN, '5']) {
        const options = { timeout } as never
        expect(await rejection(one.request('x', options))).toMatchObject(INVALID)
        expect(await rejection(one.close(options))).toMatchObject(INVALID)
      }
      expect(String(await one.request('x'))).toBe('x')
    })

    it('closes although a listener of its end throws', async () => {
      const { path } = await service(backend, { onRequest: (payload) => payload })
      const one = client(path)
      await one.request('x')
      one.on('close', () => {
        throw new Error('of a listener')
      })
      expect(await uncaught(1, () => one.close())).toMatchObject([{ message: 'of a listener' }])
    })

    it.runIf(process.platform !== 'win32')('refuses a path that no socket address holds', async () => {
      const tooLong = { code: 'ERR_FRAME_PATH_TOO_LONG' }
      const path = `/tmp/${'x'.repeat(200)}`
      expect(await rejection(connect({ backend, path }))).toMatchObject(tooLong)
      expect(await rejection(request({ backend, path }, 'x'))).toMatchObject(tooLong)
      expect(() => createClient({ backend, path })).toThrow(expect.objectContaining(tooLong))
    })

    it.each([[{ port: 1, host: '' }], [{ path: 'a\0b' }]])('refuses to connect to %j', async (where) => {
      expect(await rejection(connect({ backend, ...where } as never))).toMatchObject(INVALID)
    })

    it('says exactly which requests were never written when its connection is lost', async () => {
      const path = join(await folder(), 's')
      const sockets: Socket[] = []
      const connected = deferred()
      await puppet(path, (socket) => {
        socket.pause()
        sockets.push(socket)
        connected.resolve()
      })
      const one = client(path, { reconnect: false })
      await connected.promise
      // More than a socket takes: what is beyond never reaches the kernel.
      const payload = Buffer.alloc(64 * 1024, 1)
      const all = Array.from({ length: 100 }, () => one.request(payload))
      const disconnected = once(one, 'disconnect')
      const outcomes = Promise.allSettled(all)
      for (let turn = 0; turn < 20; turn++) await settled()
      sockets[0].destroy()
      await disconnected
      const flags = (await outcomes).map((outcome) => {
        expect(outcome).toMatchObject({ status: 'rejected', reason: LOST })
        return (outcome as PromiseRejectedResult).reason.neverWritten as boolean
      })
      const written = flags.indexOf(true)
      expect(written).toBeGreaterThan(0)
      expect(written).toBeLessThan(flags.length)
      expect(flags).toEqual(flags.map((_flag, i) => i >= written))
      // Nobody connects again: what is asked now is refused, safe to be asked elsewhere.
      expect(await rejection(one.request('x'))).toMatchObject({ ...LOST, neverWritten: true })
    })

    it('comes back after each loss, and sends nothing twice', async () => {
      const path = join(await folder(), 's')
      const seen: string[] = []
      await puppet(path, (socket, n) => {
        socket.on('data', (chunk) => {
          const texts = unframe(chunk).map(String)
          seen.push(...texts)
          if (n < 3) socket.destroy()
          else for (const text of texts) socket.write(frame(`re ${text}`))
        })
      })
      const one = client(path, EAGER)
      for (let n = 0; n < 3; n++) {
        expect(await rejection(one.request(`lost ${n}`))).toMatchObject({ ...LOST, neverWritten: false })
      }
      expect(String(await one.request('kept'))).toBe('re kept')
      expect(seen).toEqual(['lost 0', 'lost 1', 'lost 2', 'kept'])
      expect(one.stats()).toMatchObject({ connects: 4, disconnects: 3 })
    })

    it('backs off from a server that accepts and closes, until one has answered', async () => {
      const path = join(await folder(), 's')
      await puppet(path, (socket, n) => {
        if (n === 5) socket.end(frame('at last'))
        else socket.end()
      })
      const one = client(path, { reconnect: { initial: 1, max: 10_000, jitter: 0 } })
      const seen: unknown[] = []
      const enough = deferred()
      one.on('reconnecting', ({ attempt, delay }) => {
        seen.push([attempt, delay])
        if (seen.length === 7) enough.resolve()
      })
      await enough.promise
      expect(seen).toEqual([...[1, 2, 3, 4, 5].map((n) => [n, 2 ** (n - 1)]), [1, 1], [2, 2]])
    })

    it('drops the connection of a peer that breaks the protocol, and says so', async () => {
      const path = join(await folder(), 's')
      await puppet(path, (socket, n) => {
        socket.on('data', () => socket.write(n === 0 ? Buffer.from([255, 255, 255, 255]) : frame('fine')))
      })
      const one = client(path, EAGER)
      const disconnected = once(one, 'disconnect')
      const error = await rejection(one.request('x'))
      expect(error).toMatchObject({ ...LOST, cause: { code: 'ERR_FRAME_TOO_LARGE' } })
      expect((await disconnected)[0]).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE' })
      expect(String(await one.request('y'))).toBe('fine')
    })

    it('queues at most maxQueued while nobody is there, and lets them time out', async () => {
      const path = join(await folder(), 's')
      const one = client(path, { maxQueued: 2, reconnect: { initial: 10_000 } })
      await emitted(one, 'reconnecting')
      const queued = [
        rejection(one.request('a', { timeout: 30 })),
        rejection(one.request('b', { timeout: 60 })),
      ]
      expect(await rejection(one.request('c'))).toMatchObject({
        ...LOST,
        message: expect.stringContaining('maxQueued'),
        limit: 2,
        neverWritten: true,
        cause: { code: 'ENOENT' },
      })
      expect(() => one.send('d')).toThrow(expect.objectContaining({ ...LOST, limit: 2, neverWritten: true }))
      for (const error of await Promise.all(queued)) {
        expect(error).toMatchObject({
          code: 'ERR_FRAME_REQUEST_TIMEOUT',
          neverWritten: true,
          cause: { code: 'ENOENT' },
        })
      }
    })

    it('waits for replies when it is closed, and takes nothing more', async () => {
      const gate = deferred<string>()
      const begun = deferred()
      const { path, server } = await service(backend, {
        onRequest: () => {
          begun.resolve()
          return gate.promise
        },
      })
      const one = client(path)
      const pending = one.request('x')
      await begun.promise
      const closed = Promise.all([one.close(), once(one, 'close')])
      expect(await rejection(one.request('y'))).toMatchObject({
        code: 'ERR_FRAME_CLOSED',
        neverWritten: true,
      })
      expect(() => one.send('y')).toThrow(expect.objectContaining({ code: 'ERR_FRAME_CLOSED' }))
      gate.resolve('last')
      expect(String(await pending)).toBe('last')
      await closed
      await server.close()
      expect(server.stats().connections).toBe(0)
    })

    it('does not wait longer than the timeout of close', async () => {
      const path = join(await folder(), 's')
      const asked = deferred()
      await puppet(path, (socket) => socket.on('data', () => asked.resolve()))
      const one = client(path)
      const pending = rejection(one.request('x'))
      await asked.promise
      await one.close({ timeout: 20 })
      expect(await pending).toMatchObject({ ...LOST, cause: { code: 'ERR_FRAME_CLOSED' } })
    })

    it('can be closed before it has connected', async () => {
      const path = join(await folder(), 's')
      const one = client(path)
      const pending = rejection(one.request('x'))
      await one.close()
      expect(await pending).toMatchObject({ code: 'ERR_FRAME_CLOSED', neverWritten: true })
    })

    it('rejects payloads that cannot be sent, and goes on', async () => {
      const { path } = await service(backend, { onRequest: (payload) => payload })
      const one = client(path, { maxFrameLength: 10 })
      await once(one, 'connect')
      expect(await rejection(one.request(5 as never))).toMatchObject({ name: 'TypeError' })
      expect(await rejection(one.request('x'.repeat(11)))).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE' })
      expect(String(await one.request('fine'))).toBe('fine')
    })
  })
}
