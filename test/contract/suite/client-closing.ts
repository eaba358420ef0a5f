/** How a client closes: what was sent arrives, what is not answered is told so. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { type Client, type ClientOptions, createClient, createServer } from 'framewire'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Backend, deferred, frame, unframe } from './harness.js'
import { type Bytes, folder, puppet, rejection } from './service.js'

export function clientClosingContract(backend: Backend): void {
  const client = (options: ClientOptions): Client<Buffer, Bytes> => {
    const made = createClient({ backend, ...options } as ClientOptions & { serialization?: 'buffer' })
    onTestFinished(() => made.close({ timeout: 0 }))
    return made
  }

  describe('closing', () => {
    it.each([['a unix socket'], ['TCP']])(
      'loses nothing that was sent to a server that talks: %s',
      async (where) => {
        let count = 0
        let fault: unknown
        const gone = deferred()
        const server = createServer({ backend }, (connection) => {
          connection.on('frame', () => {
            count++
            connection.send('noted')
          })
          connection.on('close', (error) => {
            fault = error
            gone.resolve()
          })
        })
        onTestFinished(() => server.close({ timeout: 0 }))
        const path = join(await folder(), 's')
        const address = await server.listen(where === 'TCP' ? { host: '127.0.0.1', port: 0 } : { path })
        const one = client('port' in address ? { host: '127.0.0.1', port: address.port } : { path })
        await once(one, 'connect')
        for (let i = 0; i < 500; i++) one.send(Buffer.alloc(20_000))
        await one.close()
        await gone.promise
        expect([count, fault]).toEqual([500, undefined])
      },
    )

    it('hears a peer out that has read what nobody answers, until it has ended too', async () => {
      const path = join(await folder(), 's')
      const peer = deferred<Socket>()
      await puppet(path, (socket) => {
        socket.allowHalfOpen = true
        peer.resolve(socket)
      })
      const one = client({ path })
      const [socket] = await Promise.all([peer.promise, once(one, 'connect')])
      const read: Buffer[] = []
      socket.on('data', (chunk) => read.push(chunk))
      const ended = once(socket, 'end')
      one.send('note')
      let isClosed = false
      const closed = one.close().then(() => {
        isClosed = true
      })
      await ended
      expect(unframe(Buffer.concat(read)).map(String)).toEqual(['note'])
      // A client that is gone would be a broken pipe, for which a peer may drop what it has not read.
      const broken = await new Promise((resolve) => socket.write(frame('too late'), resolve))
      expect([broken ?? undefined, isClosed]).toEqual([undefined, false])
      socket.end()
      await closed
    })

    it('does not say of a request that was sent that it never was', async () => {
      const path = join(await folder(), 's')
      const asked = deferred()
      await puppet(path, (socket) => socket.on('data', () => asked.resolve()))
      const one = client({ path })
      const pending = rejection(one.request('x'))
      await asked.promise
      await one.close({ timeout: 20 })
      const error = await pending
      expect(error).toMatchObject({ code: 'ERR_FRAME_CONNECTION_LOST', neverWritten: false })
      expect(error.cause).toMatchObject({ code: 'ERR_FRAME_CLOSED' })
      expect(error.cause).not.toHaveProperty('neverWritten')
    })

    it.each([[false], [true]])(
      'closes at once with its signal, and rejects with its reason: closing already %j',
      async (closing) => {
        const path = join(await folder(), 's')
        const asked = deferred()
        await puppet(path, (socket) => socket.on('data', () => asked.resolve()))
        const abort = new AbortController()
        const one = client({ path, signal: abort.signal })
        const inFlight = rejection(one.request('x'))
        await asked.promise
        const over = once(one, 'close')
        const closed = closing ? one.close({ timeout: 1_000_000 }) : undefined
        const reason = new Error('enough')
        abort.abort(reason)
        expect(await inFlight).toBe(reason)
        await Promise.all([over, closed])
        expect(await rejection(one.request('y'))).toMatchObject({
          code: 'ERR_FRAME_CLOSED',
          neverWritten: true,
        })
        expect(one.stats()).toMatchObject({ connections: 0, pending: 0, disconnects: 0 })
      },
    )

    it('rejects what waits for a connection with the reason of its signal', async () => {
      const path = join(await folder(), 's')
      const reason = new Error('not today')
      const abort = new AbortController()
      const one = client({ path, signal: abort.signal })
      const waiting = rejection(one.request('x'))
      abort.abort(reason)
      expect(await waiting).toBe(reason)
      const never = client({ path, signal: AbortSignal.abort(reason) })
      expect(await rejection(never.request('x'))).toBe(reason)
    })
  })
}
