/** Requests to a server: how they become replies in order, whatever their handlers do. */
import { once } from 'node:events'
import { join } from 'node:path'
import { createServer, type RequestContext, request } from 'framewire'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Backend, deferred, frame, settled, unframe, until } from './harness.js'
import { brokenThenables, folder, service, thenable } from './service.js'

export function requestContract(backend: Backend): void {
  describe('requests', () => {
    it.each(['end', 'destroy', 'close'] as const)(
      'are no longer handed out once a handler has called %s, at once or later',
      async (how) => {
        for (const later of [false, true]) {
          const asked: string[] = []
          const { raw, server } = await service(backend, {
            maxPendingRequests: 1,
            onRequest: async (payload, ctx) => {
              asked.push(String(payload))
              if (later) await settled()
              if (asked.length === 2) void ctx.connection[how]()
              return payload
            },
          })
          const peer = await raw()
          await peer.write(Buffer.concat(['1', '2', '3', '4', '5'].map(frame)))
          await peer.ended()
          peer.socket.destroy()
          await until(() => server.stats().connections === 0)
          expect(asked).toEqual(['1', '2'])
        }
      },
    )

    it('have one signal that any number of handlers at work may listen to', async () => {
      const warnings: Error[] = []
      const warned = (warning: Error) => void warnings.push(warning)
      process.on('warning', warned)
      onTestFinished(() => void process.off('warning', warned))
      let begun = 0
      let gone = 0
      const { raw, server } = await service(backend, {
        onRequest: (_payload, ctx) =>
          new Promise<void>((resolve) => {
            begun++
            ctx.signal.addEventListener('abort', () => {
              gone++
              resolve()
            })
          }),
      })
      const peer = await raw()
      await peer.write(Buffer.concat(Array(20).fill(frame('x'))))
      await until(() => begun === 20)
      await server.close({ timeout: 0 })
      await until(() => gone === 20)
      expect(warnings).toEqual([])
    })

    it.each([
      ['nothing', ''],
      ['half a frame', '\0\0\0\x09A'],
      ['no frame', '\xff\xff\xff\xff'],
      ['another request', '\0\0\0\x01B'],
    ])(
      'leave no connection behind when a handler has ended it and its client says %s',
      async (_what, last) => {
        const { raw, server } = await service(backend, {
          onRequest: (_payload, ctx) => ctx.connection.end('bye'),
        })
        const peer = await raw()
        await peer.write(frame('A'))
        await peer.ended()
        peer.socket.end(Buffer.from(last, 'latin1'))
        await until(() => server.stats().connections === 0)
      },
    )

    it.each([
      ['a Buffer', (memory: Uint8Array) => Buffer.from(memory.buffer, 0, 16_384)],
      ['a Uint8Array', (memory: Uint8Array) => memory],
      ['an ArrayBuffer', (memory: Uint8Array) => memory.buffer],
      ['a DataView', (memory: Uint8Array) => new DataView(memory.buffer)],
    ])(
      'have the replies their handlers gave, in %s that is used again behind a slow one',
      async (_what, asReply) => {
        const slow = deferred()
        const scratch = new Uint8Array(16_384)
        const { raw } = await service(backend, {
          onRequest: (payload) => {
            const n = Number(payload)
            if (n === 0) return slow.promise.then(() => 'slow')
            const answer = () => {
              scratch.fill(n)
              if (n === 4) setImmediate(slow.resolve)
              return asReply(scratch) as Uint8Array
            }
            return n % 2 === 0 ? settled().then(answer) : answer()
          },
        })
        const peer = await raw()
        for (const n of [0, 1, 2, 3, 4]) await peer.write(frame(String(n)))
        await until(() => unframe(peer.received).length === 5)
        const [first, ...others] = unframe(peer.received)
        expect(String(first)).toBe('slow')
        for (const [i, reply] of others.entries())
          expect(reply.equals(Buffer.alloc(16_384, i + 1)), `reply ${i + 1}`).toBe(true)
      },
    )

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
        if (gate === undefined) await settled()
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
        for (let turn = 0; turn < 50; turn++) await settled()
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
      ...Object.entries(brokenThenables),
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

    it('are answered once by a thenable that does not keep to its contract', async () => {
      const { raw, server } = await service(backend, {
        onRequest: (payload) =>
          thenable((resolve, reject) => {
            resolve(thenable((inner) => inner(payload)))
            reject(new Error('too late'))
            resolve('twice')
          }),
      })
      const peer = await raw()
      peer.socket.end(Buffer.concat([frame('one'), frame('two')]))
      expect(unframe(await peer.ended()).map(String)).toEqual(['one', 'two'])
      expect(server.stats()).toMatchObject({ handlerFailures: 0, pendingRequests: 0 })
    })

    it('have a connection that is closed when it is first asked for behind its end', async () => {
      const asked = deferred<RequestContext>()
      const { raw } = await service(backend, {
        exchange: 'once',
        onRequest: (payload, ctx) => {
          asked.resolve(ctx)
          return payload
        },
      })
      const peer = await raw()
      peer.socket.end(frame('x'))
      const context = await asked.promise
      if (!context.signal.aborted) await once(context.signal, 'abort')
      expect(context.connection.closed).toBe(true)
      await context.connection.close()
      expect(context.connection.send('unheard')).toBe(false)
    })

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
      await until(() => server.stats().bytesSent !== 0)
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
}
