/** How connections come to their end while a peer is still in the middle of something: it reads what it was told. */
import { once } from 'node:events'
import { connect as connectRaw } from 'node:net'
import { type Connection, createServer, type ServerOptions } from 'framewire'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Backend, closing, deferred, frame, RawPeer, settled, stage, unframe } from './harness.js'
import { type Bytes, emitted, service } from './service.js'

const BIG = Buffer.alloc(1024 * 1024, 7)

export function endingsContract(backend: Backend): void {
  /** Over TCP, where a reset takes from the reader what it has not read yet. */
  async function tcp(
    options: ServerOptions<Buffer, Bytes>,
    onConnection?: (connection: Connection<Buffer, Bytes>) => void,
  ): Promise<RawPeer> {
    const server = createServer(
      { backend, ...options } as ServerOptions & { serialization?: 'buffer' },
      onConnection,
    )
    const { port } = (await server.listen({ port: 0, host: '127.0.0.1' })) as { port: number }
    onTestFinished(() => server.close({ timeout: 0 }))
    const socket = connectRaw({ port, host: '127.0.0.1', allowHalfOpen: true })
    onTestFinished(() => void socket.destroy())
    await once(socket, 'connect')
    return new RawPeer(socket)
  }

  async function lengths(peer: RawPeer): Promise<number[]> {
    return unframe(await peer.ended()).map((payload) => payload.length)
  }

  describe('a peer that writes all it has before it reads anything', () => {
    const ANSWER = Buffer.alloc(8 * 1024 * 1024, 'answer')
    const TOO_LARGE = Buffer.from([0x40, 0, 0, 0])

    /** Writes much more than what kernels keep, then reads to the end. */
    async function talk(peer: RawPeer, first: Buffer): Promise<void> {
      peer.socket.pause()
      await peer.write(first)
      for (let i = 0; i < 16; i++) await peer.write(frame(BIG))
      peer.socket.resume()
      expect(unframe(await peer.ended()).map((payload) => payload.equals(ANSWER))).toEqual([true])
      expect(peer.errors).toEqual([])
    }

    it.each<
      [string, ServerOptions<Buffer, Bytes>, Buffer, ((connection: Connection<Buffer, Bytes>) => void)?]
    >([
      ['answered once', { exchange: 'once', onRequest: () => ANSWER }, frame('go')],
      ['refused once', { exchange: 'once', errorReply: () => ANSWER }, TOO_LARGE],
      ['refused', { errorReply: () => ANSWER }, TOO_LARGE, (connection) => connection.on('frame', () => {})],
      [
        'failed',
        {
          errorReply: () => ANSWER,
          onRequest: () => {
            throw new Error('failed')
          },
        },
        frame('go'),
      ],
      [
        'closed gracefully',
        {},
        frame('go'),
        (connection) =>
          connection.once('frame', () => {
            connection.send(ANSWER)
            void connection.close()
          }),
      ],
    ])('reads a large answer when it is %s', async (_how, options, first, onConnection) => {
      const { server, raw } = await service(backend, options)
      if (onConnection) server.on('connection', onConnection)
      await talk(await raw(), first)
      await talk(await tcp(options, onConnection), first)
    })

    it('reads the end, and no reset, when it is closed in the middle of a burst', async () => {
      const { raw, accepted } = await stage(backend)
      const [connection, peer] = await Promise.all([accepted(), raw()])
      let got = 0
      connection.on('frame', () => {
        if (++got !== 3) return
        connection.send('bye')
        void connection.close()
      })
      let isEnded = false
      peer.socket.once('end', () => {
        isEnded = true
      })
      // A frame each turn, and still some when the end has been read.
      for (let more = 20; more > 0; more -= isEnded ? 1 : 0) {
        peer.socket.write(frame('burst'))
        await settled()
      }
      peer.socket.end()
      expect(unframe(await peer.closed()).map(String)).toEqual(['bye'])
      expect(peer.errors).toEqual([])
    })

    it('loses nothing of what was sent before a graceful close', async () => {
      const { pair } = await stage(backend)
      const [client, server] = await pair()
      let back = 0
      server.on('frame', (payload) => {
        back++
        if (!server.send(payload)) server.pause()
      })
      server.on('drain', () => server.resume())
      client.on('frame', () => {})
      for (let i = 0; i < 40; i++) client.send(BIG)
      await client.close()
      expect(back).toBe(40)
    })
  })

  describe('a session whose reading is paused', () => {
    it('goes on when its Connection is made meanwhile', async () => {
      const asked = deferred()
      const gate = deferred<string>()
      const { server, raw } = await service(backend, {
        maxPendingRequests: 1,
        onRequest: (payload) => {
          if (String(payload) !== '1') return `re ${payload}`
          asked.resolve()
          return gate.promise
        },
      })
      const peer = await raw()
      await peer.write(Buffer.concat([frame('1'), frame('2')]))
      await asked.promise
      for (const connection of server.connections) expect(connection.closed).toBe(false)
      gate.resolve('re 1')
      await peer.write(frame('3'))
      peer.socket.end()
      expect(unframe(await peer.ended()).map(String)).toEqual(['re 1', 're 2', 're 3'])
    })

    it('sees its peer go after the handler has ended the connection', async () => {
      const { server, raw } = await service(backend, {
        maxPendingRequests: 1,
        onRequest: async (_payload, ctx) => {
          await Promise.resolve()
          ctx.connection.end('bye')
        },
      })
      const gone = new Promise<void>((resolve) =>
        server.on('connection', (connection) => connection.on('close', () => resolve())),
      )
      const peer = await raw()
      await peer.write(Buffer.concat([frame('1'), frame('2'), frame('3')]))
      expect(unframe(await peer.ended()).map(String)).toEqual(['bye'])
      peer.socket.end()
      await gone
    })
  })

  describe('a close', () => {
    it('after a reply takes nothing of it when a byte came meanwhile', async () => {
      const asked = deferred()
      const gate = deferred<Buffer>()
      const peer = await tcp({
        exchange: 'once',
        onRequest: () => {
          asked.resolve()
          return gate.promise
        },
      })
      peer.socket.pause()
      await peer.write(frame('hi'))
      await asked.promise
      await peer.write('\n')
      gate.resolve(BIG)
      peer.socket.resume()
      expect(await lengths(peer)).toEqual([BIG.length])
      expect(peer.errors).toEqual([])
    })

    it('of a paused connection takes nothing of what it sent when a frame is unread', async () => {
      const asked = deferred<Connection<Buffer, Bytes>>()
      const peer = await tcp({}, (connection) =>
        connection.once('frame', () => {
          connection.pause()
          asked.resolve(connection)
        }),
      )
      await peer.write(frame('hi'))
      const connection = await asked.promise
      await peer.write(frame('more'))
      connection.send(BIG)
      const closed = connection.close({ timeout: 5000 })
      expect(await lengths(peer)).toEqual([BIG.length])
      expect(peer.errors).toEqual([])
      peer.socket.end()
      await closed
    })

    it('for a failed request takes no reply from a client that goes on asking', async () => {
      const failed = deferred()
      const peer = await tcp({
        onRequest: (payload) => {
          if (String(payload) === 'fail') throw new Error('as it was asked to')
          return BIG
        },
        errorReply: () => {
          failed.resolve()
          return 'sorry'
        },
      })
      peer.socket.pause()
      await peer.write(Buffer.concat([frame('1'), frame('2'), frame('fail')]))
      peer.socket.resume()
      await failed.promise
      await peer.write(frame('3'))
      expect(await lengths(peer)).toEqual([BIG.length, BIG.length, 'sorry'.length])
      expect(peer.errors).toEqual([])
    })
  })

  describe('a close over TCP', () => {
    it.each<[string, (connection: Connection<Buffer, Bytes>) => void]>([
      ['close()', (connection) => void connection.close()],
      ['end()', (connection) => void connection.end()],
    ])('loses nothing that was sent when the peer, which reads late, says more: %s', async (_how, close) => {
      const sent = deferred()
      const peer = await tcp({}, async (connection) => {
        await connection.sendAsync(BIG)
        close(connection)
        sent.resolve()
      })
      peer.socket.pause()
      await sent.promise
      for (let i = 0; i < 3; i++) {
        await peer.write(frame('more'))
        await settled()
      }
      peer.socket.resume()
      expect(await lengths(peer)).toEqual([BIG.length])
      expect(peer.errors).toEqual([])
    })

    it('of the server neither, when requests are answered and more of them come', async () => {
      const answered = deferred()
      const server = createServer({
        backend,
        onRequest: () => {
          answered.resolve()
          return BIG
        },
      })
      const { port } = await server.listen({ port: 0, host: '127.0.0.1' })
      onTestFinished(() => server.close({ timeout: 0 }))
      const socket = connectRaw({ port, host: '127.0.0.1', allowHalfOpen: true })
      onTestFinished(() => void socket.destroy())
      await once(socket, 'connect')
      const peer = new RawPeer(socket)
      socket.pause()
      await peer.write(frame('ask'))
      await answered.promise
      void server.close()
      await settled()
      await peer.write(frame('ask'))
      socket.resume()
      // Whether the second is read in time is open; whole they are.
      expect(new Set(await lengths(peer))).toEqual(new Set([BIG.length]))
      expect(peer.errors).toEqual([])
    })
  })

  it('a peer that resets is noticed behind its protocol error, while a handler is at work', async () => {
    const begun = deferred<AbortSignal>()
    const faulted = deferred()
    const peer = await tcp({
      onRequest: (_payload, ctx) => {
        begun.resolve(ctx.signal)
        ctx.connection.on('error', () => faulted.resolve())
        return new Promise(() => {})
      },
    })
    await peer.write(Buffer.concat([frame('slow'), Buffer.from([255, 255, 255, 255])]))
    const signal = await begun.promise
    await faulted.promise
    peer.socket.resetAndDestroy()
    if (!signal.aborted) await once(signal, 'abort')
  })

  describe('before the first byte', () => {
    it.each([
      [{ firstByteTimeout: 5000, idleTimeout: 50 }, 'ERR_FRAME_IDLE_TIMEOUT'],
      [{ firstByteTimeout: 50, idleTimeout: 5000 }, 'ERR_FRAME_FIRST_BYTE_TIMEOUT'],
    ])('the deadline that ends first is the one that counts: %o', async (options, code) => {
      const { accepted, raw } = await stage(backend, options)
      const [connection] = await Promise.all([accepted(), raw()])
      expect(await closing(connection)).toMatchObject({ code })
    })

    it('firstByteTimeout refuses an exchange that has longer for its header', async () => {
      const { server, raw } = await service(backend, {
        exchange: 'once',
        firstByteTimeout: 50,
        headerTimeout: 60_000,
        errorReply: (error) => error.code,
      })
      const peer = await raw()
      expect(unframe(await peer.ended()).map(String)).toEqual(['ERR_FRAME_FIRST_BYTE_TIMEOUT'])
      peer.socket.end()
      await emitted(peer.socket, 'close')
      expect(server.stats().faults).toBe(1)
    })
  })
}
