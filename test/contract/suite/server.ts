/** Servers and their connections: who is told of what, and how they end. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { join } from 'node:path'
import { type Connection, connect, createServer, request } from 'framewire'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Backend, deferred, frame, frames, unframe, until } from './harness.js'
import { folder, rejection, service } from './service.js'

export function serverContract(backend: Backend): void {
  describe('connections', () => {
    it('are counted as accepted before they have said a word', async () => {
      const { server, raw } = await service(backend, { onRequest: (payload) => payload })
      const peers = [await raw(), await raw(), await raw()]
      await until(() => server.stats().connections === 3)
      expect(server.stats().accepted).toBe(3)
      for (const peer of peers) peer.socket.destroy()
      await until(() => server.stats().connections === 0)
      expect(server.stats().accepted).toBe(3)
    })

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
      await until(() => server.stats().framesReceived !== 0)
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
      await until(() => server.stats().connections !== 2)
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
