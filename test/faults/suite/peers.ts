/** Peers that speak something else, leave early, or are not let in. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { chmod } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createServer, request } from 'framewire'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Backend, closing, deferred, frame, stage, until } from '../../contract/suite/harness.js'

/** A TLS 1.2 client hello's first bytes. */
const TLS_HELLO = Buffer.from('16030100c8010000c40303', 'hex')

export function peerFaults(backend: Backend): void {
  describe('27. a peer that speaks something else is refused with the right hint', () => {
    it.each([
      ['HTTP', Buffer.from('POST /x HTTP/1.1\r\nHost: x\r\n\r\n'), 100_000, /HTTP/],
      ['TLS', TLS_HELLO, 100_000, /TLS/],
      [
        'the other byte order',
        Buffer.concat([Buffer.from('05000000', 'hex'), Buffer.from('12345')]),
        100_000,
        /endian/i,
      ],
    ] as const)('%s', async (_name, bytes, maxFrameLength, hint) => {
      const { raw, accepted } = await stage(backend, { maxFrameLength })
      const peer = await raw()
      const server = await accepted()
      server.onBatch(() => {})
      const closed = closing(server)
      await peer.write(bytes)
      expect(await closed).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE', hint: expect.stringMatching(hint) })
    })

    it('a length that counts its own header', async () => {
      const { raw, accepted } = await stage(backend)
      const peer = await raw()
      const server = await accepted()
      server.onBatch(() => {})
      const closed = closing(server)
      const counted = frame('12345')
      counted.writeUInt32BE(counted.length)
      peer.socket.end(counted)
      expect(await closed).toMatchObject({
        code: 'ERR_FRAME_TRUNCATED',
        declared: 9,
        received: 5,
        hint: expect.stringMatching(/header/),
      })
    })
  })

  it('28. a client that is gone before its reply is no error', async () => {
    const reply = deferred<string>()
    const arrived = deferred()
    const { raw, server, path } = await stage(backend, {
      exchange: 'once',
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
    expect(server.stats()).toMatchObject({ connections: 0, faults: 0, handlerFailures: 0 })
  })

  it.each([1, 20])(
    '28. a client that is still writing %i MiB when it is refused reads the JSON and no reset',
    async (size) => {
      const { raw } = await stage(backend, {
        exchange: 'once',
        maxFrameLength: 1000,
        onRequest: () => 'never',
      })
      const peer = await raw()
      const body = Buffer.alloc(size * 1024 * 1024)
      body.writeUInt32BE(body.length - 4)
      peer.socket.end(body)
      const answer = await peer.ended()
      expect(JSON.parse(String(answer.subarray(4)))).toMatchObject({
        res: 'fail',
        code: 'ERR_FRAME_TOO_LARGE',
      })
      expect(peer.errors).toEqual([])
    },
  )

  it.each([
    ['has said nothing', Buffer.alloc(0)],
    ['is in a header', Buffer.from([0, 0])],
    ['is in a body', Buffer.from([0, 0, 1, 0, 120])],
  ])('28. a client that %s at the deadline may go on writing while it is refused', async (_where, bytes) => {
    const { raw } = await stage(backend, { exchange: 'once', headerTimeout: 100, bodyTimeout: 100 })
    const peer = await raw()
    await peer.write(bytes)
    const answer = await peer.ended()
    expect(JSON.parse(String(answer.subarray(4)))).toMatchObject({ res: 'fail' })
    await peer.write('more of it')
    await peer.write('and the rest')
    peer.socket.end()
    await peer.closed()
    expect(peer.errors).toEqual([])
  })

  describe('peer credentials', () => {
    // Only root can become somebody else.
    const canBecome = process.platform === 'linux' && process.getuid?.() === 0
    const NOBODY = 65_534

    /** A client of another user: what it reads until the end. */
    const asNobody = (path: string) =>
      new Promise<{ readonly output: string; readonly pid: number | undefined }>((resolve, reject) => {
        const script = `
          const socket = require('node:net').connect(${JSON.stringify(path)})
          socket.on('error', (error) => process.stdout.write(error.code))
          socket.on('data', (chunk) => process.stdout.write(chunk))
          socket.write(Buffer.from('0000000568656c6c6f', 'hex'))
          socket.on('close', () => {})`
        const child = execFile(
          'setpriv',
          ['--reuid', `${NOBODY}`, '--regid', `${NOBODY}`, '--clear-groups', process.execPath, '-e', script],
          (error, stdout) => (error ? reject(error) : resolve({ output: stdout, pid: child.pid })),
        )
      })

    it.runIf(canBecome)(
      'tell a second user from ourselves, who is turned away before a byte is read',
      async () => {
        const { path: beside } = await stage(backend)
        await chmod(dirname(beside), 0o755)
        const path = `${beside}-guarded`
        const asked: unknown[] = []
        const server = createServer({
          backend,
          allowPeer: (peer) => {
            asked.push(peer)
            return peer.uid === process.getuid?.()
          },
          onRequest: () => 'let in',
        })
        onTestFinished(() => server.close({ timeout: 0 }))
        if (backend === 'js') {
          await expect(server.listen({ path, mode: 0o666 })).rejects.toMatchObject({
            code: 'ERR_FRAME_BACKEND_UNSUPPORTED',
          })
          return
        }
        await server.listen({ path, mode: 0o666 })
        const dropped = once(server, 'drop')
        const { output, pid } = await asNobody(path)
        expect(output).toMatch(/^(|ECONNRESET|EPIPE)$/)
        expect((await dropped)[0]).toEqual({
          reason: 'peer',
          count: 1,
          peer: { uid: NOBODY, gid: NOBODY, pid },
        })
        expect(asked).toEqual([{ uid: NOBODY, gid: NOBODY, pid }])
        expect(server.stats()).toMatchObject({ dropped: 1, bytesReceived: 0, framesReceived: 0, requests: 0 })
        expect(String(await request({ backend, path }, 'x'))).toBe('let in')
      },
    )

    it.runIf(canBecome && backend === 'native')('are on the connection', async () => {
      const { path, server } = await stage(backend)
      await chmod(dirname(path), 0o755)
      await chmod(path, 0o666)
      const seen = deferred<unknown>()
      server.on('connection', (connection) => {
        connection.on('frame', () => {
          seen.resolve(connection.peer)
          connection.end('bye')
        })
      })
      const { output, pid } = await asNobody(path)
      expect(output).toContain('bye')
      expect(await seen.promise).toEqual({ uid: NOBODY, gid: NOBODY, pid })
      await until(() => server.stats().connections === 0)
    })
  })
}
