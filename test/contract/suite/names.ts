/** Names of machines: how long is waited for their addresses, and which of several is taken. */
import { spawn } from 'node:child_process'
import dns, { type LookupAddress } from 'node:dns'
import { once } from 'node:events'
import net from 'node:net'
import type { Readable } from 'node:stream'
import { type ConnectOptions, connect, createClient, createServer, request } from 'framewire'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Backend } from './harness.js'
import { rejection } from './service.js'

const V4 = { address: '127.0.0.1', family: 4 }
const V6 = { address: '::1', family: 6 }

/** `name.test` has these addresses until the test ends; undefined: whoever answers for it is silent. */
function nameIs(addresses: LookupAddress[] | undefined): void {
  const real = dns.lookup as (name: string, given: unknown, done: unknown) => void
  const lookup = (name: string, given: unknown, done: unknown) => {
    if (name !== 'name.test') return real(name, given, done)
    if (addresses === undefined) return
    const answer = (done ?? given) as (error: null, found: unknown, family?: number) => void
    const { address, family } = addresses[0]
    if ((given as { all?: boolean }).all) process.nextTick(answer, null, addresses)
    else process.nextTick(answer, null, address, family)
  }
  vi.spyOn(dns, 'lookup').mockImplementation(lookup as unknown as typeof dns.lookup)
  onTestFinished(() => void vi.restoreAllMocks())
}

/** A port of ::1 where connections are asked for and never made: its queue is full, and nobody accepts. */
async function silentPort(): Promise<number> {
  const script = `const server = require('node:net').createServer()
    server.listen({ port: 0, host: '::1', backlog: 1 }, () => {
      require('node:fs').writeSync(1, String(server.address().port))
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    })`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [line] = await once(child.stdout as Readable, 'data')
  const port = Number(line)
  for (let i = 0; i < 2; i++) {
    const socket = net.connect({ port, host: '::1' })
    socket.on('error', () => {})
    onTestFinished(() => void socket.destroy())
    await once(socket, 'connect')
  }
  return port
}

/** A port where nobody is. */
async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

export function nameContract(backend: Backend): void {
  describe('that nobody answers for', () => {
    const to = { backend, port: 5, host: 'name.test' }

    it('are waited for until the time is up', async () => {
      nameIs(undefined)
      expect(await rejection(connect({ ...to, connectTimeout: 20 }))).toMatchObject({
        code: 'ERR_FRAME_CONNECT_TIMEOUT',
        limit: 20,
      })
      expect(await rejection(request(to, 'x', { timeout: 20 }))).toMatchObject({
        code: 'ERR_FRAME_REQUEST_TIMEOUT',
        neverWritten: true,
      })
      const client = createClient({ ...to, connectTimeout: 20 })
      onTestFinished(() => client.close({ timeout: 0 }))
      const error = await new Promise((resolve) => client.once('error', resolve))
      expect(error).toMatchObject({ code: 'ERR_FRAME_CONNECT_TIMEOUT' })
    })

    it('are waited for until the signal says otherwise', async () => {
      nameIs(undefined)
      const reason = new Error('not today')
      const abort = new AbortController()
      const { signal } = abort
      const server = createServer({ backend })
      const waiting = [
        rejection(connect({ ...to, signal })),
        rejection(request(to, 'x', { signal })),
        rejection(server.listen({ port: 0, host: 'name.test', signal })),
      ]
      abort.abort(reason)
      expect(await Promise.all(waiting)).toEqual([reason, reason, reason])
      expect(await rejection(server.listen(0))).toMatchObject({ code: 'ERR_FRAME_CLOSED' })
    })
  })

  describe('of several addresses', () => {
    it('are the one where somebody is', async () => {
      nameIs([V6, V4])
      for (const host of ['::1', '127.0.0.1']) {
        const server = createServer({ backend, onRequest: (payload) => payload })
        onTestFinished(() => server.close({ timeout: 0 }))
        const { port } = await server.listen({ port: 0, host })
        const connection = await connect({ backend, port, host: 'name.test' })
        expect(connection.remoteAddress).toBe(host)
        connection.destroy()
      }
    })

    it.runIf(process.platform === 'linux')('are the next one where the first is silent', async () => {
      const before = net.getDefaultAutoSelectFamilyAttemptTimeout()
      net.setDefaultAutoSelectFamilyAttemptTimeout(20)
      onTestFinished(() => net.setDefaultAutoSelectFamilyAttemptTimeout(before))
      const port = await silentPort()
      const server = createServer({ backend })
      onTestFinished(() => server.close({ timeout: 0 }))
      await server.listen({ port, host: '127.0.0.1' })
      // The families by turns: the second of the first family comes last.
      nameIs([V6, { address: '::2', family: 6 }, V4])
      const connection = await connect({ backend, port, host: 'name.test' })
      expect(connection.remoteAddress).toBe('127.0.0.1')
      connection.destroy()
    })

    it('where nobody is are told by the last of them', async () => {
      nameIs([V6, V4])
      const port = await freePort()
      const refusal = {
        name: 'Error',
        message: expect.stringMatching(/^connect ECONNREFUSED\b.* 127\.0\.0\.1:\d+$/),
        code: 'ECONNREFUSED',
        errno: expect.any(Number),
        syscall: 'connect',
        address: '127.0.0.1',
        port,
      }
      const to = { backend, port, host: 'name.test' } as ConnectOptions & { serialization?: 'buffer' }
      expect(await rejection(connect(to))).toMatchObject(refusal)
      expect(await rejection(request(to, 'x'))).toMatchObject(refusal)
    })
  })
}
