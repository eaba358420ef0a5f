/** Servers: where they listen, how requests become replies in order, and how they end. */
import { spawn } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { type AddressInfo, createServer as createNetServer } from 'node:net'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { type Connection, connect, createServer, request, type Server } from 'framewire'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Backend, frame, frames, uncaught, unframe } from './harness.js'
import { type Bytes, deferred, folder, rejection, service } from './service.js'

const CLOSED = { name: 'FrameError', code: 'ERR_FRAME_CLOSED' }
const INVALID = { name: 'TypeError', code: 'ERR_FRAME_OPTION_INVALID' }

export function serverContract(backend: Backend): void {
  const make = (): Server<Buffer, Bytes> => {
    const server = createServer({ backend, onRequest: (payload) => payload })
    onTestFinished(() => server.close({ timeout: 0 }))
    return server
  }

  describe('listening', () => {
    it('takes a port, any that is free for 0, and tells which', async () => {
      const server = make()
      expect(server.address()).toBe(null)
      const listening = once(server, 'listening')
      const address = await server.listen({ port: 0, host: '127.0.0.1' })
      await listening
      expect(address).toEqual({ host: '127.0.0.1', port: expect.any(Number), family: 'IPv4' })
      expect(server.address()).toEqual(address)
      const { port } = address as { port: number }
      expect(String(await request({ backend, port, host: '127.0.0.1' }, 'hello'))).toBe('hello')
      const other = make()
      expect(await rejection(other.listen({ port, host: '127.0.0.1' }))).toMatchObject({ code: 'EADDRINUSE' })
      await server.close()
      expect(server.address()).toBe(null)
      expect(await rejection(request({ backend, port, host: '127.0.0.1' }, 'x'))).toMatchObject({
        code: 'ECONNREFUSED',
      })
    })

    it('takes a number as a port of every address', async () => {
      const server = make()
      const address = (await server.listen(0)) as { port: number }
      expect(String(await request({ backend, port: address.port, host: '127.0.0.1' }, 'x'))).toBe('x')
    })

    it('takes IPv6', async () => {
      const server = make()
      const address = await server.listen({ port: 0, host: '::1' })
      expect(address).toMatchObject({ host: '::1', family: 'IPv6' })
      expect(
        String(await request({ backend, port: (address as { port: number }).port, host: '::1' }, 'x')),
      ).toBe('x')
    })

    it.runIf(process.platform !== 'win32')('takes a descriptor that was inherited', async () => {
      const owner = createNetServer().listen(0, '127.0.0.1')
      await once(owner, 'listening')
      const { port } = owner.address() as AddressInfo
      const { fd } = (owner as unknown as { _handle: { fd: number } })._handle
      const script = `import { createServer } from 'framewire'
        const server = createServer({ backend: '${backend}', onRequest: () => 'from ' + process.pid })
        console.log(JSON.stringify(await server.listen({ fd: 3 })))`
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit', fd],
      })
      onTestFinished(() => void child.kill())
      const [line] = await once(child.stdout as Readable, 'data')
      expect(JSON.parse(line)).toEqual({ host: '127.0.0.1', port, family: 'IPv4' })
      await new Promise((resolve) => owner.close(resolve))
      expect(String(await request({ backend, port, host: '127.0.0.1' }, '?'))).toBe(`from ${child.pid}`)
    })

    it('listens once, and not after it was closed', async () => {
      const path = join(await folder(), 's')
      const server = make()
      const first = server.listen(path)
      expect(await rejection(server.listen(path))).toMatchObject({ code: 'ERR_FRAME_ALREADY_LISTENING' })
      await first
      expect(await rejection(server.listen(0))).toMatchObject({ code: 'ERR_FRAME_ALREADY_LISTENING' })
      await server.close()
      expect(await rejection(server.listen(path))).toMatchObject(CLOSED)
    })

    it('can be closed before it listens, twice, and while it starts', async () => {
      const never = make()
      const closed = once(never, 'close')
      await Promise.all([never.close(), never.close(), closed])
      expect(await rejection(never.listen(0))).toMatchObject(CLOSED)
      const starting = make()
      const listening = rejection(starting.listen(join(await folder(), 's')))
      await starting.close()
      expect(await listening).toMatchObject(CLOSED)
    })

    it('can be tried again after it failed', async () => {
      const path = join(await folder(), 's')
      const first = make()
      await first.listen(path)
      const second = make()
      expect(await rejection(second.listen(path))).toMatchObject({ code: 'EADDRINUSE' })
      await first.close()
      await second.listen(path)
      expect(String(await request({ backend, path }, 'x'))).toBe('x')
    })

    it('ends with its signal', async () => {
      const path = join(await folder(), 's')
      const abort = new AbortController()
      const server = make()
      await server.listen({ path, signal: abort.signal })
      const closed = once(server, 'close')
      abort.abort()
      await closed
      expect(await rejection(request({ backend, path }, 'x'))).toMatchObject({ code: 'ENOENT' })
      expect(await rejection(make().listen({ path, signal: abort.signal }))).toMatchObject({
        name: 'AbortError',
      })
    })

    it('rejects with the reason when its signal is aborted while it starts, and is closed', async () => {
      const path = join(await folder(), 's')
      const abort = new AbortController()
      const server = make()
      const listening = rejection(server.listen({ path, signal: abort.signal }))
      const reason = new Error('changed my mind')
      abort.abort(reason)
      expect(await listening).toBe(reason)
      expect(server.address()).toBe(null)
      expect(await rejection(request({ backend, path }, 'x'))).toMatchObject({ code: 'ENOENT' })
      expect(await rejection(server.listen(path))).toMatchObject(CLOSED)
    })

    it('listens and closes although listeners of that throw', async () => {
      const path = join(await folder(), 's')
      const server = make()
      const words = ['listening', 'close']
      for (const word of words) {
        server.on(word as 'close', () => {
          throw new Error(word)
        })
      }
      const errors = await uncaught(2, async () => {
        await server.listen(path)
        expect(String(await request({ backend, path }, 'x'))).toBe('x')
        await server.close()
      })
      expect(errors.map((error) => (error as Error).message)).toEqual(words)
    })

    it('rejects, and never throws, for a time to close that is none', async () => {
      const server = make()
      for (const timeout of [-1, Number.NaN, '5']) {
        expect(await rejection(server.close({ timeout } as never))).toMatchObject(INVALID)
      }
    })

    it.runIf(process.platform !== 'win32')('tells a descriptor that is none, or no socket', async () => {
      const file = await open(join(await folder(), 'f'), 'w')
      onTestFinished(() => file.close())
      expect(await rejection(make().listen({ fd: 1_000_000 }))).toMatchObject({ code: 'EBADF' })
      expect(await rejection(make().listen({ fd: file.fd }))).toMatchObject({ code: 'ENOTSOCK' })
    })

    it.runIf(process.platform === 'linux')('tells the path of a unix socket that was inherited', async () => {
      const path = join(await folder(), 's')
      const owner = createNetServer().listen(path)
      await once(owner, 'listening')
      onTestFinished(() => void owner.close())
      const { fd } = (owner as unknown as { _handle: { fd: number } })._handle
      const script = `import { createServer } from 'framewire'
        const server = createServer({ backend: '${backend}' })
        console.log(JSON.stringify(await server.listen({ fd: 3 })))
        await server.close()`
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit', fd],
      })
      onTestFinished(() => void child.kill())
      const [line] = await once(child.stdout as Readable, 'data')
      expect(JSON.parse(line)).toEqual({ path })
    })

    it('is closed by `await using`', async () => {
      const path = join(await folder(), 's')
      const server = make()
      await server.listen(path)
      await server[Symbol.asyncDispose]()
      expect(await rejection(server.listen(path))).toMatchObject(CLOSED)
    })

    it.each([
      [{}],
      [{ path: 's', port: 1 }],
      [{ path: '' }],
      [{ path: 'a\0b' }],
      [{ port: 65536 }],
      [{ port: -1 }],
      [{ port: 1.5 }],
      [{ port: 0, mode: 0o600 }],
      [{ port: 0, host: 5 }],
      [{ port: 0, host: '' }],
      [{ path: 's', owner: 5 }],
      [{ path: 's', owner: null }],
      [{ path: 's', owner: {} }],
      [{ path: '\0s', mode: 0o600 }],
      [{ path: '\0s', owner: { uid: 0 } }],
      [{ fd: -1 }],
      [{ path: 's', backlog: 0 }],
      [{ path: 's', signal: {} }],
      [null],
      [true],
    ])('refuses to listen on %j', async (where) => {
      expect(await rejection(make().listen(where as never))).toMatchObject(INVALID)
    })

    it.each([
      [{ backend: 'fast' }],
      [{ exchange: 'twice' }],
      [{ onRequest: 'f' }],
      [{ errorReply: 1 }],
      [{ allowPeer: true }],
      [{ maxPendingRequests: 0 }],
      [{ maxConnections: -1 }],
      [{ tls: true }],
      [{ serialization: 'xml' }],
      [null],
    ])('refuses to be made with %j', (options) => {
      expect(() => createServer(options as never)).toThrow(expect.objectContaining(INVALID))
    })
  })

  describe('requests', () => {
    it('are answered in the order they came, whenever their handlers finish', async () => {
      const gates = Array.from({ length: 6 }, () => deferred<string | undefined>())
      const { raw } = await service(backend, {
        onRequest: (payload) => {
          const n = Number(payload)
          return n < gates.length ? gates[n].promise : `sync ${n}`
        },
      })
      const peer = await raw()
      await peer.write(Buffer.concat(['0', '1', '9', '2', '3', '8', '4', '5'].map(frame)))
      for (const n of [5, 3, 1]) gates[n].resolve(`async ${n}`)
      gates[2].resolve(undefined)
      gates[4].resolve('async 4')
      gates[0].resolve('async 0')
      peer.socket.end()
      const replies = unframe(await peer.ended()).map(String)
      expect(replies).toEqual(['async 0', 'async 1', 'sync 9', 'async 3', 'sync 8', 'async 4', 'async 5'])
    })

    it('are given own Buffers, and say who asks', async () => {
      const kept: Buffer[] = []
      const { raw, server } = await service(backend, {
        onRequest: (payload, ctx) => {
          kept.push(payload)
          return `${ctx.id > 0} ${ctx.peer === null || ctx.peer.pid === process.pid} ${ctx.remoteAddress} ${ctx.signal.aborted}`
        },
      })
      const peer = await raw()
      await peer.write(Buffer.concat(['aaaa', 'bbbb', 'c'.repeat(5000)].map(frame)))
      await peer.write(frame('d'))
      peer.socket.end()
      const replies = unframe(await peer.ended()).map(String)
      expect(replies).toEqual(Array(4).fill('true true undefined false'))
      expect(kept.map(String)).toEqual(['aaaa', 'bbbb', 'c'.repeat(5000), 'd'])
      expect(kept.every((payload) => Buffer.isBuffer(payload))).toBe(true)
      expect(server.stats()).toMatchObject({
        requests: 4,
        framesReceived: 4,
        framesSent: 4,
        pendingRequests: 0,
      })
    })

    it('know the address of a TCP peer', async () => {
      const server = createServer({
        backend,
        onRequest: (_payload, ctx) => `${ctx.remoteAddress} ${ctx.peer}`,
      })
      onTestFinished(() => server.close({ timeout: 0 }))
      const { port } = (await server.listen({ port: 0, host: '127.0.0.1' })) as { port: number }
      expect(String(await request({ backend, port, host: '127.0.0.1' }, 'x'))).toBe('127.0.0.1 null')
    })

    it('wait unread beyond maxPendingRequests', async () => {
      const gates: ReturnType<typeof deferred<string>>[] = []
      const begun = deferred()
      let running = 0
      let most = 0
      const { raw } = await service(backend, {
        maxPendingRequests: 3,
        onRequest: async () => {
          most = Math.max(most, ++running)
          const gate = deferred<string>()
          gates.push(gate)
          if (gates.length === 3) begun.resolve()
          const reply = await gate.promise
          running--
          return reply
        },
      })
      const peer = await raw()
      const count = 200
      await peer.write(Buffer.concat(Array.from({ length: count }, (_, i) => frame(`${i}`))))
      peer.socket.end()
      await begun.promise
      let answered = 0
      while (answered < count) {
        const gate = gates[answered]
        if (gate === undefined) await new Promise((resolve) => setImmediate(resolve))
        else gate.resolve(`reply ${answered++}`)
      }
      const replies = unframe(await peer.ended()).map(String)
      expect(replies).toEqual(Array.from({ length: count }, (_, i) => `reply ${i}`))
      expect(most).toBe(3)
    })

    it('stop being read while the peer does not read its replies, and lose none', async () => {
      let handled = 0
      const { raw, server } = await service(backend, {
        onRequest: () => {
          handled++
          return Buffer.alloc(64 * 1024, 1)
        },
      })
      const peer = await raw()
      peer.socket.pause()
      const count = 500
      await peer.write(Buffer.concat(Array.from({ length: count }, () => frame('x'))))
      peer.socket.end()
      // Until nothing moves any more: two looks with the same count, turns of the loop apart.
      for (let before = -1; handled !== before; ) {
        before = handled
        for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
      }
      expect(handled).toBeLessThan(count / 10)
      peer.socket.resume()
      expect((await peer.ended()).length).toBe(count * (64 * 1024 + 4))
      expect(handled).toBe(count)
      expect(server.stats().requests).toBe(count)
    })

    it('carry JSON and text', async () => {
      const path = join(await folder(), 's')
      const server = createServer({
        backend,
        serialization: 'json',
        onRequest: (value: { a: number }) => ({ twice: value.a * 2 }),
      })
      onTestFinished(() => server.close({ timeout: 0 }))
      await server.listen(path)
      expect(await request({ backend, path, serialization: 'json' }, { a: 21 })).toEqual({ twice: 42 })
      expect(await request({ backend, path, serialization: 'text' }, '{"a":1}')).toBe('{"twice":2}')
    })

    it.each([
      [
        'throws',
        () => {
          throw new Error('no')
        },
      ],
      ['rejects', () => Promise.reject(new Error('no'))],
      ['returns what cannot be sent', () => 5 as never],
    ])(
      'close their connection when the handler %s: replies before it arrive, none behind it',
      async (_how, fail) => {
        const { raw, server } = await service(backend, {
          onRequest: (payload) => (String(payload) === 'bad' ? fail() : payload),
        })
        const failed = once(server, 'error')
        const peer = await raw()
        await peer.write(Buffer.concat(['one', 'two', 'bad', 'three'].map(frame)))
        expect(unframe(await peer.ended()).map(String)).toEqual(['one', 'two'])
        const [error, connection] = await failed
        expect(error).toMatchObject({ code: 'ERR_FRAME_HANDLER', connectionId: connection.id })
        expect(server.stats().handlerFailures).toBe(1)
      },
    )

    it('do not crash the process when the handler fails and nobody listens', async () => {
      const { raw } = await service(backend, { onRequest: () => Promise.reject(new Error('no')) })
      const peer = await raw()
      await peer.write(frame('x'))
      expect(unframe(await peer.ended())).toEqual([])
    })

    it('end with what errorReply says: behind the replies that were due', async () => {
      const gate = deferred<string>()
      const { raw } = await service(backend, {
        maxFrameLength: 1000,
        errorReply: (error) => `sorry: ${error.code}`,
        onRequest: (payload) => {
          if (String(payload) === 'bad') throw new Error('no')
          return gate.promise
        },
      })
      const one = await raw()
      await one.write(Buffer.concat(['slow', 'bad', 'never'].map(frame)))
      const two = await raw()
      await two.write(Buffer.concat([frame('slow'), Buffer.from([255, 255, 255, 255])]))
      gate.resolve('done')
      expect(unframe(await one.ended()).map(String)).toEqual(['done', 'sorry: ERR_FRAME_HANDLER'])
      expect(unframe(await two.ended()).map(String)).toEqual(['done', 'sorry: ERR_FRAME_TOO_LARGE'])
    })

    it('abort their signal when the peer is lost', async () => {
      const begun = deferred<AbortSignal>()
      const { raw, server } = await service(backend, {
        onRequest: (payload, ctx) => {
          if (String(payload) === 'now') return 'unread'
          begun.resolve(ctx.signal)
          return new Promise(() => {})
        },
      })
      const peer = await raw()
      peer.socket.pause()
      await peer.write(Buffer.concat([frame('now'), frame('later')]))
      const signal = await begun.promise
      const aborted = once(signal, 'abort')
      while (server.stats().bytesSent === 0) await new Promise((resolve) => setImmediate(resolve))
      // Going with a reply unread is a reset, which reading notices.
      peer.socket.destroy()
      await aborted
      expect(signal.reason).toMatchObject({ code: 'ERR_FRAME_CONNECTION_LOST' })
    })

    it('leave their connection to the handler', async () => {
      const { raw, server } = await service(backend, {
        onRequest: (payload, ctx) => {
          if (String(payload) === 'push') ctx.connection.send('pushed')
          if (String(payload) === 'bye') ctx.connection.destroy()
          return payload
        },
      })
      const peer = await raw()
      await peer.write(frame('push'))
      while (unframe(peer.received).length < 2) await once(peer.socket, 'data')
      expect(unframe(peer.received).map(String)).toEqual(['pushed', 'push'])
      await peer.write(Buffer.concat([frame('bye'), frame('unheard')]))
      expect(unframe(await peer.ended()).length).toBe(2)
      expect(server.stats().requests).toBe(2)
    })
  })

  describe('connections', () => {
    it('are handed to onConnection and listeners, counted, and listed', async () => {
      const path = join(await folder(), 's')
      const seen: Connection[] = []
      const server = createServer({ backend }, (connection) => seen.push(connection))
      onTestFinished(() => server.close({ timeout: 0 }))
      const listener = once(server, 'connection')
      await server.listen(path)
      const client = await connect({ backend, path })
      const [connection] = await listener
      expect(seen).toEqual([connection])
      expect(server.connections.size).toBe(1)
      expect([...server.connections]).toEqual([connection])
      const got = frames(connection, 1)
      client.send('hello')
      expect(String((await got)[0])).toBe('hello')
      const closed = once(connection, 'close')
      client.destroy()
      await closed
      expect([...server.connections]).toEqual([])
      expect(server.stats()).toMatchObject({ accepted: 1, framesReceived: 1, bytesReceived: 9 })
    })

    it('are listed although nobody had asked for them', async () => {
      const { raw, server } = await service(backend, { onRequest: (payload) => payload })
      const peer = await raw()
      await peer.write(frame('x'))
      while (unframe(peer.received).length < 1) await once(peer.socket, 'data')
      const [connection] = server.connections
      connection.send('out of turn')
      await peer.write(frame('y'))
      while (unframe(peer.received).length < 3) await once(peer.socket, 'data')
      expect(unframe(peer.received).map(String)).toEqual(['x', 'out of turn', 'y'])
    })

    it('keep their frames until somebody asks for them', async () => {
      const { raw, server } = await service(backend, {})
      const peer = await raw()
      await peer.write(Buffer.concat([frame('one'), frame('two')]))
      while (server.stats().framesReceived === 0) await new Promise((resolve) => setImmediate(resolve))
      const [connection] = server.connections
      expect((await frames(connection, 2)).map(String)).toEqual(['one', 'two'])
    })

    it('beyond maxConnections are turned away and counted', async () => {
      const { raw, server, path } = await service(backend, {
        maxConnections: 2,
        onRequest: (payload) => payload,
      })
      const dropped = once(server, 'drop')
      const kept = [await raw(), await raw()]
      for (const peer of kept) {
        await peer.write(frame('in'))
        await once(peer.socket, 'data')
      }
      const third = await raw()
      const [info] = await dropped
      expect(info).toEqual({ reason: 'limit', count: 1 })
      await third.ended()
      expect(server.stats()).toMatchObject({ connections: 2, dropped: 1 })
      kept[0].socket.end()
      await kept[0].ended()
      await kept[0].closed()
      while (server.stats().connections === 2) await new Promise((resolve) => setImmediate(resolve))
      expect(String(await request({ backend, path }, 'room again'))).toBe('room again')
    })

    it('and errors and drops are told on the diagnostics channels', async () => {
      const told: string[] = []
      const listen = (name: string) => {
        const listener = () => void told.push(name)
        subscribe(name, listener)
        onTestFinished(() => void unsubscribe(name, listener))
      }
      for (const name of ['framewire:connection', 'framewire:error', 'framewire:drop']) listen(name)
      const { raw, server } = await service(backend, {
        maxFrameLength: 10,
        maxConnections: 1,
        onRequest: () => 'x',
      })
      const peer = await raw()
      const dropped = once(server, 'drop')
      await raw()
      await dropped
      await peer.write(Buffer.from([255, 255, 255, 255]))
      await peer.ended()
      expect(told.sort()).toEqual(['framewire:connection', 'framewire:drop', 'framewire:error'])
    })

    it('from peers that allowPeer refuses are closed unread; where nobody can tell, listening fails', async () => {
      const path = join(await folder(), 's')
      let answer = true
      const asked: number[] = []
      const server = createServer({
        backend,
        allowPeer: ({ uid }) => {
          asked.push(uid)
          return answer
        },
        onRequest: (_payload, ctx) => `uid ${ctx.peer?.uid}`,
      })
      onTestFinished(() => server.close({ timeout: 0 }))
      const unsupported = { code: 'ERR_FRAME_BACKEND_UNSUPPORTED' }
      expect(await rejection(server.listen({ port: 0 }))).toMatchObject(unsupported)
      if (backend === 'js') {
        expect(await rejection(server.listen(path))).toMatchObject(unsupported)
        return
      }
      await server.listen(path)
      const uid = process.getuid?.()
      expect(String(await request({ backend, path }, 'x'))).toBe(`uid ${uid}`)
      answer = false
      const dropped = once(server, 'drop')
      expect(await rejection(request({ backend, path }, 'x'))).toMatchObject({
        code: 'ERR_FRAME_CONNECTION_LOST',
      })
      expect((await dropped)[0]).toMatchObject({ reason: 'peer', count: 1, peer: { uid, pid: process.pid } })
      expect(asked).toEqual([uid, uid])
      expect(server.stats()).toMatchObject({ requests: 1, dropped: 1 })
    })
  })

  describe('closing', () => {
    it('waits for requests that were read, and closes who has none', async () => {
      const gate = deferred<string>()
      const begun = deferred()
      const { raw, server } = await service(backend, {
        onRequest: () => {
          begun.resolve()
          return gate.promise
        },
      })
      const idle = await raw()
      const busy = await raw()
      await busy.write(frame('x'))
      await begun.promise
      const closed = server.close({ timeout: 10_000 })
      expect(unframe(await idle.ended())).toEqual([])
      gate.resolve('in flight')
      expect(unframe(await busy.ended()).map(String)).toEqual(['in flight'])
      for (const peer of [idle, busy]) peer.socket.end()
      await closed
      expect(server.stats()).toMatchObject({ connections: 0, pendingRequests: 0 })
    })

    it('ends connections from its side, and waits for the peer to end its own', async () => {
      const path = join(await folder(), 's')
      const server = createServer({ backend }, (connection) => connection.on('frame', () => {}))
      await server.listen(path)
      const client = await connect({ backend, path })
      const closed = once(client, 'close')
      await server.close()
      await closed
    })

    it('does not wait longer than its timeout', async () => {
      const begun = deferred()
      const { raw, server } = await service(backend, {
        onRequest: () => {
          begun.resolve()
          return new Promise(() => {})
        },
      })
      const silent = await raw()
      const busy = await raw()
      await busy.write(frame('x'))
      await begun.promise
      await server.close({ timeout: 30 })
      expect(server.connections.size).toBe(0)
      await Promise.all([silent.ended(), busy.ended()])
    })
  })
}
