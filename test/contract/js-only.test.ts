/** What only the js backend does: TLS, frames over any Duplex, and its answer to what it cannot do. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect as connectRaw, createServer as createRawServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex, PassThrough } from 'node:stream'
import { type Connection, connect, createServer, request, wrap } from 'framewire'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  closing,
  frame,
  frames,
  pattern,
  randomizer,
  settled,
  stage,
  trace,
  unframe,
  until,
} from './suite/harness.js'

const fixture = (name: string) => readFileSync(new URL(`./fixtures/${name}`, import.meta.url))

/** Two streams, each the other's far end. */
function duplexPair(): [Duplex, Duplex] {
  const there = new PassThrough()
  const back = new PassThrough()
  return [Duplex.from({ writable: there, readable: back }), Duplex.from({ writable: back, readable: there })]
}

describe('wrap', () => {
  it('carries frames over a pair of streams, both ways, to the end', async () => {
    const [left, right] = duplexPair().map((stream) => wrap(stream)) as [Connection, Connection]
    right.on('frame', (payload) => right.send(payload))
    const random = randomizer(3)
    const sent = Array.from({ length: 500 }, (_, i) => pattern(Math.floor(random() ** 4 * 50_000), i))
    const got = frames(left, sent.length)
    for (const payload of sent) left.send(payload)
    const echoed = await got
    for (let i = 0; i < sent.length; i++) expect(echoed[i].equals(sent[i])).toBe(true)
    const both = Promise.all([closing(left), closing(right)])
    left.end()
    expect(await both).toEqual([undefined, undefined])
  })

  it.each([
    ['whole frames', '\0\0\0\x01A', ['frame A', 'end', 'close']],
    [
      'half a frame',
      '\0\0\0\x01A\0\0\0\x09par',
      ['frame A', 'error ERR_FRAME_TRUNCATED', 'close ERR_FRAME_TRUNCATED'],
    ],
  ])('hears a peer out that ends with %s after we have ended', async (_what, wire, expected) => {
    const [left, right] = duplexPair()
    const connection = wrap(left)
    const events = trace(connection)
    connection.on('end', () => events.push('end'))
    const closed = closing(connection)
    connection.end()
    right.resume()
    await once(right, 'end')
    right.end(Buffer.from(wire, 'latin1'))
    await closed
    expect(events).toEqual(expected)
  })

  it('gives a stream memory that is not written to again', async () => {
    const kept: Buffer[] = []
    const keeper = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        kept.push(chunk)
        done()
      },
    })
    const connection = wrap(keeper)
    for (let turn = 0; turn < 50; turn++) {
      for (let i = 0; i < 20; i++) connection.send(`${turn} ${i}`)
      await settled()
    }
    const expected = Array.from({ length: 1000 }, (_, i) => `${Math.floor(i / 20)} ${i % 20}`)
    expect(unframe(Buffer.concat(kept)).map(String)).toEqual(expected)
    connection.destroy()
  })

  it('speaks with a child process over its stdio', async () => {
    const child = spawn('cat', { stdio: ['pipe', 'pipe', 'inherit'] })
    const connection = wrap(Duplex.from({ writable: child.stdin, readable: child.stdout }))
    const got = frames(connection, 3)
    for (const text of ['one', '', 'three']) connection.send(text)
    expect((await got).map(String)).toEqual(['one', '', 'three'])
    const exited = once(child, 'exit')
    connection.end()
    expect(await exited).toEqual([0, null])
  })

  it('tells of a stream that breaks', async () => {
    const [left, right] = duplexPair()
    const connection = wrap(left, { serialization: 'text' })
    const closed = closing(connection)
    // Destroyed before the end of the turn: nothing of it was handed over.
    const sent = connection.sendAsync('x'.repeat(1_000_000))
    const reason = new Error('cut')
    left.destroy(reason)
    right.on('error', () => {})
    expect(await closed).toMatchObject({ code: 'ERR_FRAME_CONNECTION_LOST', cause: reason })
    await expect(sent).rejects.toMatchObject({ code: 'ERR_FRAME_CONNECTION_LOST', neverWritten: true })
  })

  it('survives a stream that delivers while it is written to', async () => {
    // An echo without a turn of the loop in between, whose listener sends again.
    const echo = new Duplex({
      read() {},
      write(chunk, _encoding, done) {
        this.push(Buffer.from(chunk))
        done()
      },
    })
    const connection = wrap(echo)
    let last = ''
    const done = new Promise<void>((resolve) => {
      connection.on('frame', (payload) => {
        last = String(payload)
        if (last.length === 2000) resolve()
        else connection.send(`${last}x`)
      })
    })
    connection.send('x')
    await done
    expect(last).toBe('x'.repeat(2000))
    connection.destroy()
  })

  it('closes with an error when the stream is destroyed already', async () => {
    const reason = new Error('cut')
    for (const how of ['closed', 'closing', 'broken']) {
      const stream = new PassThrough()
      const closed = new Promise((resolve) => stream.once('close', resolve))
      stream.on('error', () => {})
      stream.destroy(how === 'broken' ? reason : undefined)
      if (how !== 'closing') await closed
      const connection = wrap(stream)
      expect(connection.writable).toBe(false)
      expect(connection.send('x')).toBe(false)
      const gone = closing(connection)
      const sent = connection.sendAsync('x')
      await expect(sent).rejects.toMatchObject({ code: 'ERR_FRAME_CLOSED', neverWritten: true })
      const error = await gone
      expect(error).toMatchObject({ code: 'ERR_FRAME_CONNECTION_LOST' })
      expect(error?.cause).toBe(how === 'broken' ? reason : undefined)
      await connection.close()
    }
  })

  it('closes a connection that is asked to over a stream that is destroyed already', async () => {
    const stream = new PassThrough()
    stream.destroy()
    await wrap(stream).close()
  })

  it('closes over a stream that has ended, at once or once what is left was sent', async () => {
    const both = new PassThrough()
    both.end()
    both.resume()
    await once(both, 'end')
    expect(await closing(wrap(both))).toMatchObject({ code: 'ERR_FRAME_CONNECTION_LOST' })
    const [left, right] = duplexPair()
    right.end()
    left.resume()
    await once(left, 'end')
    const connection = wrap(left)
    const chunks: Buffer[] = []
    right.on('data', (chunk) => chunks.push(chunk))
    connection.send('last words')
    await closing(connection)
    expect(unframe(Buffer.concat(chunks)).map(String)).toEqual(['last words'])
  })

  it('reads a stream that was paused by who had it before', async () => {
    const [left, right] = duplexPair()
    left.pause()
    const got = new Promise((resolve) => wrap(left, { serialization: 'text' }).on('frame', resolve))
    right.write(frame('x'))
    expect(await got).toBe('x')
  })

  it.each([['text'], [5], [{}]])('closes over a stream that gives what are no bytes: %j', async (chunk) => {
    const stream = new PassThrough({ objectMode: true })
    const connection = wrap(stream)
    const closed = closing(connection)
    connection.on('frame', () => {})
    stream.write(chunk)
    expect(await closed).toMatchObject({ code: 'ERR_FRAME_CONNECTION_LOST', cause: expect.any(TypeError) })
    expect(connection.stats().bytesReceived).toBe(0)
  })

  it('refuses a stream that is a connection already, which goes on', async () => {
    const [left, right] = duplexPair().map((stream) => ({ stream, connection: wrap(stream) }))
    expect(() => wrap(left.stream)).toThrow(expect.objectContaining({ code: 'ERR_FRAME_OPTION_INVALID' }))
    const received = once(right.connection, 'frame')
    await left.connection.sendAsync('still here')
    expect(String((await received)[0])).toBe('still here')
    left.connection.destroy()
    right.connection.destroy()
  })

  it('refuses a stream that gives text', () => {
    const stream = new PassThrough().setEncoding('utf8')
    expect(() => wrap(stream)).toThrow(expect.objectContaining({ code: 'ERR_FRAME_OPTION_INVALID' }))
  })

  it('refuses what is no Duplex', () => {
    expect(() => wrap(new PassThrough().on as never)).toThrow(
      expect.objectContaining({ code: 'ERR_FRAME_OPTION_INVALID' }),
    )
  })
})

describe('TLS', () => {
  it('carries frames both ways and closes cleanly', async () => {
    const server = createServer(
      { backend: 'js', tls: { key: fixture('key.pem'), cert: fixture('cert.pem') } },
      (peer) => {
        peer.on('frame', (payload) => peer.send(payload))
      },
    )
    const address = await server.listen(0)
    onTestFinished(() => server.close({ timeout: 0 }))
    const client = await connect({
      backend: 'js',
      port: (address as { port: number }).port,
      host: 'localhost',
      tls: { ca: fixture('cert.pem') },
    })
    const sent = [pattern(10), pattern(0), pattern(3_000_000), pattern(100)]
    const got = frames(client, sent.length)
    for (const payload of sent) client.send(payload)
    const echoed = await got
    for (let i = 0; i < sent.length; i++) expect(echoed[i].equals(sent[i])).toBe(true)
    await client.close()
    expect(client.closed).toBe(true)
  })

  it('rejects a server that cannot be trusted', async () => {
    const server = createServer({
      backend: 'js',
      tls: { key: fixture('key.pem'), cert: fixture('cert.pem') },
    })
    const address = await server.listen(0)
    onTestFinished(() => server.close({ timeout: 0 }))
    const connecting = connect({
      backend: 'js',
      port: (address as { port: number }).port,
      host: 'localhost',
      tls: {},
    })
    await expect(connecting).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
  })
})

describe('a TLS handshake', () => {
  const tls = { key: fixture('key.pem'), cert: fixture('cert.pem') }

  /** A TLS server, and strangers who connect and do not begin. */
  async function withStrangers(options: object, count: number) {
    const server = createServer({ backend: 'js', tls, onRequest: (payload) => payload, ...options })
    const { port } = (await server.listen({ port: 0, host: '127.0.0.1' })) as { port: number }
    onTestFinished(() => server.close({ timeout: 0 }))
    const strangers = await Promise.all(
      Array.from({ length: count }, async () => {
        const socket = connectRaw(port, '127.0.0.1')
        onTestFinished(() => void socket.destroy())
        socket.on('error', () => {}).resume()
        await once(socket, 'connect')
        return { socket, closed: new Promise((resolve) => socket.once('close', resolve)) }
      }),
    )
    await until(() => server.stats().connections >= count)
    const ask = () =>
      request({ backend: 'js', port, host: '127.0.0.1', tls: { rejectUnauthorized: false } }, 'x')
    return { server, strangers, ask }
  }

  it.each([{ firstByteTimeout: 100 }, { headerTimeout: 100 }])(
    'has the time of the first frame: %o',
    async (options) => {
      const { server, strangers, ask } = await withStrangers({ ...options, maxConnections: 2 }, 2)
      const errors: unknown[] = []
      server.on('error', (error) => errors.push((error as { code?: string }).code))
      await Promise.all(strangers.map(({ closed }) => closed))
      await until(() => server.stats().connections === 0)
      expect(errors).toEqual(['ERR_TLS_HANDSHAKE_TIMEOUT', 'ERR_TLS_HANDSHAKE_TIMEOUT'])
      expect(String(await ask())).toBe('x')
    },
  )

  it('counts as a connection', async () => {
    const { server, strangers, ask } = await withStrangers({ maxConnections: 1 }, 1)
    const dropped = once(server, 'drop')
    await expect(ask()).rejects.toBeInstanceOf(Error)
    expect(await dropped).toEqual([{ reason: 'limit', count: 1 }])
    expect(server.stats()).toMatchObject({ connections: 1, dropped: 1 })
    strangers[0].socket.destroy()
    await until(() => server.stats().connections === 0)
    expect(String(await ask())).toBe('x')
  })

  it('that is cut off is over when close settles', async () => {
    const { server } = await withStrangers({}, 3)
    // In a timer's turn, behind which setImmediate comes before anything is closed.
    await new Promise((resolve) => setTimeout(resolve, 1))
    await server.close()
    expect(server.stats().connections).toBe(0)
  })

  it('ends with the server', async () => {
    const { server, strangers } = await withStrangers({}, 1)
    await server.close()
    await strangers[0].closed
  })
})

describe('js backend', () => {
  it('refuses to listen when it would have to know who connects', async () => {
    const server = createServer({ backend: 'js', allowPeer: () => true })
    await expect(server.listen(join(tmpdir(), 'fw-never'))).rejects.toMatchObject({
      code: 'ERR_FRAME_BACKEND_UNSUPPORTED',
    })
  })

  // Where Node's sockets cannot read into memory of ours, nothing bounds them either.
  const isNode = process.versions.bun === undefined && process.versions.deno === undefined
  it.runIf(isNode)('gives the others their turn while one socket brings frames that take long', async () => {
    const { path, accepted } = await stage('js')
    const flood = `require('node:net').connect(${JSON.stringify(path)}).end(Buffer.alloc(${4 * 1024 * 1024}))`
    const child = spawn(process.execPath, ['-e', flood], { stdio: 'inherit' })
    const gone = once(child, 'exit')
    const server = await accepted()
    let frames = 0
    let batches = 0
    let most = 0
    const turn = () => {
      batches = 0
      if (!server.closed) setImmediate(turn)
    }
    setImmediate(turn)
    server.onBatch((batch) => {
      frames += batch.length
      most = Math.max(most, ++batches)
      for (const until = performance.now() + 1; performance.now() < until; );
    })
    await Promise.all([closing(server), gone])
    expect(frames).toBe(1024 * 1024)
    // A read brings four batches, and libuv reads up to 32 times.
    expect(most).toBeLessThan(16)
  })

  it('loses no queued frame when slabs are lent out to stuck connections', async () => {
    const { raw, accepted } = await stage('js', { highWaterMark: 1_000_000 })
    const stuck = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const peer = await raw()
        peer.socket.pause()
        return [peer, await accepted()] as const
      }),
    )
    const sent: number[] = stuck.map(() => 0)
    for (let turn = 0; turn < 60; turn++) {
      stuck.forEach(([, server], who) => {
        for (let i = 0; i < 10; i++) server.send(`${who} ${sent[who]++} ${'.'.repeat(1000)}`)
      })
      await settled()
    }
    for (const [, server] of stuck) server.end()
    for (const [who, [peer]] of stuck.entries()) {
      peer.socket.resume()
      const got = unframe(await peer.ended()).map((payload) => String(payload).split(' .')[0])
      expect(got).toEqual(Array.from({ length: sent[who] }, (_, i) => `${who} ${i}`))
    }
  })

  it('reads frames over a socket that somebody else made', async () => {
    const raw = createRawServer((socket) => {
      const connection = wrap(socket)
      connection.on('frame', (payload) => connection.send(payload))
    })
    raw.listen(0)
    await once(raw, 'listening')
    onTestFinished(() => void raw.close())
    const socket = connectRaw((raw.address() as { port: number }).port)
    const client = wrap(socket)
    const got = frames(client, 2)
    client.send('hello')
    client.send(frame('nested'))
    expect((await got).map(String)).toEqual(['hello', String(frame('nested'))])
    client.end()
    await closing(client)
  })
})
