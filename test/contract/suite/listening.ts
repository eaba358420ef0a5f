/** Servers listening: ports, paths, descriptors, and what they refuse. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { type AddressInfo, createServer as createNetServer } from 'node:net'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { Worker } from 'node:worker_threads'
import { createServer, request, type Server } from 'framewire'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Backend, uncaught } from './harness.js'
import { type Bytes, folder, rejection } from './service.js'

const CLOSED = { name: 'FrameError', code: 'ERR_FRAME_CLOSED' }
const INVALID = { name: 'TypeError', code: 'ERR_FRAME_OPTION_INVALID' }

export function listeningContract(backend: Backend): void {
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

    it.runIf(process.platform !== 'win32')(
      'leaves a descriptor to the server that listens on it already',
      async () => {
        const owner = createNetServer().listen(0, '127.0.0.1')
        await once(owner, 'listening')
        const { port } = owner.address() as AddressInfo
        const { fd } = (owner as unknown as { _handle: { fd: number } })._handle
        const script = `import { fstatSync } from 'node:fs'
        import { createServer } from 'framewire'
        const make = (name) => createServer({ backend: '${backend}', onRequest: () => name })
        const first = make('first')
        await first.listen({ fd: 3 })
        const { ino } = fstatSync(3)
        const second = make('second')
        const codes = []
        for (let i = 0; i < 2; i++) codes.push(await second.listen({ fd: 3 }).catch((error) => error.code))
        await second.close()
        console.log(JSON.stringify([...codes, fstatSync(3).ino === ino]))`
        const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
          stdio: ['ignore', 'pipe', 'inherit', fd],
        })
        onTestFinished(() => void child.kill())
        const told = once(child.stdout as Readable, 'data')
        const [line] = await Promise.race([told, once(child, 'exit')])
        expect(JSON.parse(String(line))).toEqual(['EEXIST', 'EEXIST', true])
        await new Promise((resolve) => owner.close(resolve))
        expect(String(await request({ backend, port, host: '127.0.0.1' }, '?'))).toBe('first')
      },
    )

    it.runIf(process.platform !== 'win32')(
      'refuses a TCP descriptor where it would have to know who connects',
      async () => {
        const owner = createNetServer().listen(0, '127.0.0.1')
        onTestFinished(() => void owner.close())
        await once(owner, 'listening')
        const { fd } = (owner as unknown as { _handle: { fd: number } })._handle
        const script = `import { createServer } from 'framewire'
        const server = createServer({ backend: '${backend}', allowPeer: () => true })
        server.listen({ fd: 3 }).catch((error) => console.log(error.code))`
        const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
          stdio: ['ignore', 'pipe', 'inherit', fd],
        })
        onTestFinished(() => void child.kill())
        const [line] = await once(child.stdout as Readable, 'data')
        expect(String(line)).toBe('ERR_FRAME_BACKEND_UNSUPPORTED\n')
        // Nothing of it is left to keep the process.
        expect(await once(child, 'exit')).toEqual([0, null])
      },
    )

    it.runIf(process.platform !== 'win32').each(['ends its thread', 'closes'])(
      'shares a descriptor with worker threads, and does not take it from them when one %s',
      async (how) => {
        const owner = createNetServer().listen(0, '127.0.0.1')
        await once(owner, 'listening')
        const { port } = owner.address() as AddressInfo
        const { fd } = (owner as unknown as { _handle: { fd: number } })._handle
        const script = `const { parentPort, threadId, workerData } = require('node:worker_threads')
          const { createServer } = require(workerData.main)
          const server = createServer({ backend: '${backend}', onRequest: () => String(threadId) })
          parentPort.on('message', () => server.close().then(() => process.exit()))
          server.listen({ fd: ${fd} }).then(() => parentPort.postMessage('up'))`
        const main = createRequire(import.meta.url).resolve('framewire')
        const threads = await Promise.all(
          [1, 2].map(async () => {
            const thread = new Worker(script, { eval: true, workerData: { main } })
            await once(thread, 'message')
            return thread
          }),
        )
        onTestFinished(async () => {
          await Promise.all(threads.map((thread) => thread.terminate()))
        })
        // From now on only they accept.
        await new Promise((resolve) => owner.close(resolve))
        const [first, second] = threads
        const gone = once(first, 'exit')
        if (how === 'closes') first.postMessage('close')
        else await first.terminate()
        await gone
        const asked = Array.from({ length: 20 }, () => request({ backend, port, host: '127.0.0.1' }, '?'))
        expect(new Set((await Promise.all(asked)).map(String))).toEqual(new Set([String(second.threadId)]))
      },
    )

    it('says where as node:net does when an address is taken', async () => {
      const { port } = await make().listen({ port: 0, host: '127.0.0.1' })
      expect(await rejection(make().listen({ port, host: '127.0.0.1' }))).toMatchObject({
        code: 'EADDRINUSE',
        address: '127.0.0.1',
        port,
      })
    })

    it.runIf(process.platform !== 'win32')('takes -0 for 0', async () => {
      const path = join(await folder(), 's')
      await make().listen({ path, mode: -0 })
      expect((await stat(path)).mode & 0o777).toBe(0)
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
      for (const timeout of [-1, 0.5, Number.NaN, '5']) {
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
      [{ path: 's', host: '::1' }],
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
      [{ firstByteTimeout: 1.5 }],
      [{ headerTimeout: 0.1 }],
      [{ bodyTimeout: Number.POSITIVE_INFINITY }],
      [{ idleTimeout: 0.5 }],
      [{ writeTimeout: 1e-300 }],
      [{ tls: true }],
      [{ serialization: 'xml' }],
      [null],
    ])('refuses to be made with %j', (options) => {
      expect(() => createServer(options as never)).toThrow(expect.objectContaining(INVALID))
    })
  })
}
