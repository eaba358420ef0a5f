// `framewire tap` between a client and a server of this process.
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer as createNetServer, connect as netConnect, type Server, type Socket } from 'node:net'
import { basename, join } from 'node:path'
import { connect, createServer, encodeFrame, request } from 'framewire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { netFillsNames } from '../contract/suite/abstract-names.js'
import { framewire, run, temporaryFolder } from './harness.js'

async function tapped(extra: readonly string[] = []) {
  const folder = temporaryFolder()
  const [listen, to] = [join(folder, 'tap'), join(folder, 'real')]
  const tap = framewire(['tap', '--listen', listen, '--to', to, ...extra])
  await tap.seen(/listening on/)
  return { tap, listen, to }
}

/** A plain server that gives the connection it gets. */
async function rawServer(path: string): Promise<{ server: Server; accepted: Promise<Socket> }> {
  const server = createNetServer({ allowHalfOpen: true })
  const accepted = once(server, 'connection').then(([socket]) => socket as Socket)
  server.listen(path)
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { server, accepted }
}

async function readAll(socket: Socket): Promise<Buffer> {
  // Not `for await`, which destroys the socket at the end of input.
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(socket, 'end')
  return Buffer.concat(chunks)
}

describe('framewire tap', () => {
  test('shows frames of both directions with their length, and passes them on', async () => {
    const { tap, listen, to } = await tapped()
    const server = createServer({ onRequest: (payload) => `re: ${payload}` })
    await server.listen(to)
    onTestFinished(() => server.close({ timeout: 0 }))
    expect(String(await request({ path: listen }, 'hello'))).toBe('re: hello')
    await tap.seen(/#1 +→ +5 B +hello/)
    await tap.seen(/#1 +← +9 B +re: hello/)
    await request({ path: listen }, Buffer.from([0, 1, 0xff]))
    await tap.seen(/#2 +→ +3 B +00 01 ff/)
    tap.child.kill('SIGTERM')
    expect(await tap.done).toMatchObject({ code: 0 })
    expect(existsSync(listen)).toBe(false)
  })

  test.each([[[]], [['--json']]])('a payload does not steer the terminal, with %j', async (flags) => {
    const { tap, listen, to } = await tapped(flags)
    const server = createServer({ onRequest: () => '' })
    await server.listen(to)
    onTestFinished(() => server.close({ timeout: 0 }))
    const steering = '\u0080\u009b2J\u009f\u061c\u200e\u200f\u202a\u202e\u2066\u2069'
    await request({ path: listen }, `é ${steering} ü`)
    await tap.seen(/é \\u0080\\u009b2J\\u009f\\u061c\\u200e\\u200f\\u202a\\u202e\\u2066\\u2069 ü/)
    const line = tap.stdout.split('\n').find((one) => one.includes('é')) as string
    if (flags.length > 0) expect(JSON.parse(line)).toMatchObject({ text: `é ${steering} ü` })
  })

  test.runIf(process.platform === 'linux')('abstract names are those others use, at both ends', async () => {
    const name = basename(temporaryFolder())
    const ends = ['--listen', `@${name}-tap`, '--to', `@${name}`]
    if (await netFillsNames()) {
      const stderr = expect.stringContaining('ERR_FRAME_BACKEND_UNSUPPORTED')
      expect(await run(['tap', ...ends])).toMatchObject({ code: 3, stderr })
      return
    }
    const server = createServer({ onRequest: (payload) => `re: ${payload}` })
    await server.listen(`\0${name}`)
    onTestFinished(() => server.close({ timeout: 0 }))
    const tap = framewire(['tap', ...ends])
    await tap.seen(/listening on/)
    expect(String(await request({ path: `\0${name}-tap` }, 'hello'))).toBe('re: hello')
  })

  test('--json gives a line for each frame, large ones cut', async () => {
    const { tap, listen, to } = await tapped(['--json', '--bytes', '4', '--format', 'uint16le'])
    const server = createServer({ format: 'uint16le' }, (connection) => {
      connection.on('frame', (payload) => connection.send(payload))
    })
    await server.listen(to)
    onTestFinished(() => server.close({ timeout: 0 }))
    const client = await connect({ path: listen, format: 'uint16le' })
    client.on('frame', () => undefined)
    client.send('x'.repeat(60_000))
    client.send('')
    client.end()
    await once(client, 'close')
    await tap.seen(/"close"/)
    const lines = tap.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const frames = lines.filter(({ event }) => event === 'frame')
    expect(frames.map(({ direction, length, text }) => ({ direction, length, text }))).toEqual(
      expect.arrayContaining([
        { direction: 'up', length: 60_000, text: 'xxxx' },
        { direction: 'up', length: 0, text: '' },
        { direction: 'down', length: 60_000, text: 'xxxx' },
        { direction: 'down', length: 0, text: '' },
      ]),
    )
    expect(frames).toHaveLength(4)
  })

  test('bytes that are no frames pass unchanged, and ends stay ends of one side', async () => {
    const { tap, listen, to } = await tapped(['--format', '{"lengthBytes":4,"lengthAdjustment":-100}'])
    const { accepted } = await rawServer(to)
    const client = netConnect({ path: listen, allowHalfOpen: true })
    const request = Buffer.from('GET / HTTP/1.1\r\n\r\n\0\0\0\x01')
    client.end(request)
    const server = await accepted
    expect(await readAll(server)).toEqual(request)
    // The client has ended; what the server says now still arrives.
    server.end(Buffer.from([0, 0, 0, 1, 2, 3]))
    expect(await readAll(client)).toEqual(Buffer.from([0, 0, 0, 1, 2, 3]))
    await tap.seen(/no frame of this format/)
    await tap.seen(/closed/)
  })

  test('an unfinished frame passes at once, and its end is told', async () => {
    const { tap, listen, to } = await tapped()
    const { accepted } = await rawServer(to)
    const client = netConnect(listen)
    client.write(encodeFrame('whole frame').subarray(0, 9))
    const server = await accepted
    const [chunk] = await once(server, 'data')
    expect(chunk).toEqual(Buffer.from(encodeFrame('whole frame').subarray(0, 9)))
    client.end()
    await tap.seen(/→ end, inside a frame/)
    server.end()
    await tap.seen(/closed/)
  })

  test('a server that does not read holds the client up', async () => {
    const { listen, to } = await tapped(['--show', 'none'])
    const { accepted } = await rawServer(to)
    const client = netConnect(listen)
    await once(client, 'connect')
    const server = await accepted
    server.pause()
    const block = Buffer.alloc(1 << 20)
    let taken = 0
    // Each write is acknowledged when the kernel has it: with buffers full the acknowledgements stop.
    const stuck = new Promise<void>((resolve) => {
      let timer = setTimeout(resolve, 1000)
      const more = () => {
        clearTimeout(timer)
        timer = setTimeout(resolve, 1000)
        taken += block.length
        if (taken < 64 << 20) client.write(block, more)
      }
      client.write(block, more)
    })
    await stuck
    expect(taken).toBeLessThan(16 << 20)
    client.destroy()
    server.destroy()
  })

  test('a reset of a TCP connection reaches the other side as one', async () => {
    const server = createNetServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const to = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const tap = framewire(['tap', '--listen', '127.0.0.1:0', '--to', to])
    const [, port] = await tap.seen(/listening on 127\.0\.0\.1:(\d+)/)
    const accepted = once(server, 'connection').then(([socket]) => socket as Socket)
    const client = netConnect(Number(port), '127.0.0.1')
    client.write('half')
    const socket = await accepted
    await once(socket, 'data')
    const failed = once(socket, 'error')
    client.resetAndDestroy()
    expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' })
    await tap.seen(/closed/)
  })

  test('a client of a server that is not there is told so', async () => {
    const { tap, listen } = await tapped()
    const client = netConnect(listen)
    const closed = once(client, 'close')
    client.on('error', () => undefined)
    await closed
    await tap.seen(/server: .*ENOENT/)
  })
})
