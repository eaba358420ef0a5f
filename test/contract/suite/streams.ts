/** A connection as a Duplex and as a pair of web streams: nothing in front of an error is lost, and no value is an end. */
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Connection, connect, createServer } from 'framewire'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Backend, closing, collect, frame, settled, stage, unframe, until } from './harness.js'

type AnyConnection = Connection<Buffer, Uint8Array | string>

const five = Buffer.concat(['1', '2', '3', '4', '5'].map(frame))

const shapes: Record<string, (connection: AnyConnection) => AsyncIterable<Buffer>> = {
  'for await': (connection) => connection[Symbol.asyncIterator](),
  toDuplex: (connection) => connection.toDuplex(),
  toWeb: (connection) => connection.toWeb().readable,
}

export function streamContract(backend: Backend): void {
  describe.each(Object.entries(shapes))('%s', (_name, shape) => {
    it.each([
      ['ERR_FRAME_TRUNCATED', Buffer.from([0, 0, 0, 9, 1])],
      ['ERR_FRAME_TOO_LARGE', Buffer.from([255, 255, 255, 255])],
    ])('gives every frame in front of %s, then the error', async (code, tail) => {
      const { raw, accepted } = await stage(backend)
      const peer = await raw()
      const connection = await accepted()
      const closed = closing(connection)
      const source = shape(connection)
      peer.socket.end(Buffer.concat([five, tail]))
      expect(await closed).toMatchObject({ code })
      // Read only now: everything lies in the stream.
      expect(await collect(source)).toEqual([['1', '2', '3', '4', '5'], code])
    })

    it('gives the error to who waits for the next frame', async () => {
      const { raw, accepted } = await stage(backend)
      const peer = await raw()
      const source = shape(await accepted())
      const reading = collect(source)
      await peer.write(five)
      peer.socket.end(Buffer.from([0, 0]))
      expect(await reading).toEqual([['1', '2', '3', '4', '5'], 'ERR_FRAME_TRUNCATED'])
    })
  })

  it('fails a Duplex once, behind its last frame, when it is read by hand and then flows', async () => {
    const { raw, accepted } = await stage(backend)
    const peer = await raw()
    const connection = await accepted()
    const events: string[] = []
    const duplex = connection.toDuplex()
    for (const name of ['end', 'error', 'close']) {
      duplex.on(name, (error?: { code?: string }) => events.push(error?.code ?? name))
    }
    const closed = closing(connection)
    peer.socket.end(Buffer.concat([five, Buffer.from([0])]))
    await closed
    expect(String(duplex.read())).toBe('1')
    duplex.on('data', (payload) => events.push(String(payload)))
    await until(() => events.includes('close'))
    expect(events).toEqual(['2', '3', '4', '5', 'ERR_FRAME_TRUNCATED', 'close'])
  })

  it('tells a writer of a Duplex at once, whatever is still to be read', async () => {
    const { raw, accepted } = await stage(backend, { writeTimeout: 80 })
    const peer = await raw()
    peer.socket.pause()
    const connection = await accepted()
    const duplex = connection.toDuplex()
    duplex.read(0)
    await peer.write(five)
    await until(() => duplex.readableLength === 5)
    const written = new Promise((resolve) => duplex.write(Buffer.alloc(4_000_000), resolve))
    duplex.on('error', () => {})
    expect(await written).toMatchObject({ code: 'ERR_FRAME_WRITE_TIMEOUT' })
  })

  describe('a value that is no chunk', () => {
    const nothing = { encode: (value: string) => value, decode: () => undefined }

    it.each([
      ['null of JSON', 'json' as const, ['1', 'null', '2'], [1]],
      ['undefined of a decode function', nothing, ['x'], []],
    ])('fails a Duplex and does not end it: %s', async (_what, serialization, sent, expected) => {
      const { path } = await stage(backend)
      const server = createServer<unknown, unknown>({ backend, serialization } as never)
      const accepted = new Promise<Connection<unknown, unknown>>((resolve) => {
        server.on('connection', resolve)
      })
      await server.listen(`${path}.2`)
      onTestFinished(() => server.close({ timeout: 0 }))
      const client = await connect({ backend, path: `${path}.2` })
      onTestFinished(() => void client.destroy())
      const connection = await accepted
      const closed = closing(connection as never)
      const duplex = connection.toDuplex()
      const got: unknown[] = []
      duplex.on('data', (value) => got.push(value))
      const failed = new Promise((resolve, reject) => {
        duplex.on('error', resolve)
        duplex.on('end', () => reject(new Error('ended')))
      })
      for (const text of sent) client.send(text)
      const error = { code: 'ERR_FRAME_SERIALIZATION', connectionId: connection.id }
      expect(await failed).toMatchObject(error)
      expect(await closed).toMatchObject(error)
      expect(got).toEqual(expected)
    })
  })

  it('ends a pipeline into a stream cleanly when the peer ends', async () => {
    const { raw, accepted } = await stage(backend)
    const peer = await raw()
    const connection = await accepted()
    peer.socket.end(five)
    const got = await Readable.prototype.toArray.call(connection.toDuplex())
    expect(got.map(String)).toEqual(['1', '2', '3', '4', '5'])
  })

  describe('when the peer ends its side', () => {
    it.each(Object.entries(shapes))(
      'ends ours behind the last frame, so that it closes: %s',
      async (_name, shape) => {
        const { raw, accepted, server } = await stage(backend)
        const peer = await raw()
        const connection = await accepted()
        const closed = closing(connection)
        const reading = collect(shape(connection))
        peer.socket.end(five)
        expect(await reading).toEqual([['1', '2', '3', '4', '5'], undefined])
        expect(await closed).toBeUndefined()
        expect(server.connections.size).toBe(0)
      },
    )

    const later = () =>
      new Transform({
        objectMode: true,
        transform: (payload, _encoding, done) => setImmediate(() => done(null, `re ${payload}`)),
      })
    const laterOnWeb = () =>
      new TransformStream<Buffer, string>({
        transform: async (payload, controller) => {
          await settled()
          controller.enqueue(`re ${payload}`)
        },
      })

    it.each<[string, (connection: AnyConnection) => Promise<void>]>([
      [
        'a pipeline over a transform',
        (connection) => {
          const duplex = connection.toDuplex()
          return pipeline(duplex, later(), duplex)
        },
      ],
      [
        'pipe',
        async (connection) => {
          const duplex = connection.toDuplex()
          duplex.pipe(later()).pipe(duplex)
          await closing(connection)
        },
      ],
      [
        'a web transform',
        async (connection) => {
          const { readable, writable } = connection.toWeb()
          await readable.pipeThrough(laterOnWeb()).pipeTo(writable)
        },
      ],
      [
        'a writer that is taken when everything was read',
        async (connection) => {
          const { readable, writable } = connection.toWeb()
          const got: string[] = []
          for await (const payload of readable) got.push(`re ${payload}`)
          const writer = writable.getWriter()
          await new Promise((resolve) => setTimeout(resolve, 5))
          for (const text of got) await writer.write(text)
          await writer.close()
        },
      ],
    ])('still sends what is on its way: %s', async (_name, answer) => {
      const { raw, accepted } = await stage(backend)
      const peer = await raw()
      const answered = answer(await accepted())
      peer.socket.end(five)
      await answered
      await peer.ended()
      expect(unframe(peer.received).map(String)).toEqual(['re 1', 're 2', 're 3', 're 4', 're 5'])
    })

    it('leaves our side of a Duplex to who listens to the end of the connection', async () => {
      const { raw, accepted } = await stage(backend)
      const peer = await raw()
      const connection = await accepted()
      const ended = new Promise<void>((resolve) => connection.on('end', resolve))
      const duplex = connection.toDuplex().resume()
      peer.socket.end(five)
      await ended
      for (let i = 0; i < 5; i++) await settled()
      duplex.end('last word')
      await peer.ended()
      expect(unframe(peer.received).map(String)).toEqual(['last word'])
    })
  })

  it.each<[string, (writer: WritableStreamDefaultWriter<Uint8Array>) => unknown]>([
    ['a write', (writer) => writer.write(Buffer.alloc(4_000_000))],
    ['a close', (writer) => Promise.all([writer.write(Buffer.alloc(4_000_000)), writer.close()])],
  ])('aborts %s that waits for a peer that does not read', async (_what, wait) => {
    const { raw, accepted } = await stage(backend)
    const peer = await raw()
    peer.socket.pause()
    const connection = await accepted()
    const closed = closing(connection)
    const { readable, writable } = connection.toWeb()
    const writer = writable.getWriter()
    writer.closed.catch(() => {})
    const waiting = Promise.allSettled([wait(writer)])
    await until(() => connection.stats().bytesQueued > 0)
    const reason = new Error('changed its mind')
    await writer.abort(reason).catch((error) => expect(error).toBe(reason))
    expect(await closed).toBe(reason)
    expect((await waiting)[0].status).toBe('rejected')
    await expect(readable.getReader().read()).rejects.toBe(reason)
  })

  it('says why it was aborted also where the reason is no error', async () => {
    const { raw, accepted } = await stage(backend)
    await raw()
    const connection = await accepted()
    const { readable, writable } = connection.toWeb()
    const reading = readable.getReader().read()
    await writable.abort('enough')
    await expect(reading).rejects.toMatchObject({ code: 'ERR_FRAME_CLOSED', cause: 'enough' })
  })
}
