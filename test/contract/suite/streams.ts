/** A connection as a Duplex and as a pair of web streams: nothing in front of an error is lost, and no value is an end. */
import { Readable } from 'node:stream'
import { type Connection, connect, createServer } from 'framewire'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Backend, closing, collect, frame, stage, until } from './harness.js'

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
}
