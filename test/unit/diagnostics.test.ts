/** What docs/diagnostics.md promises of the messages, and of who sees an error. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { errorMonitor, once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { type Connection, connect, createClient, createServer, request, wrap } from 'framewire'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'

type Message = Record<string, unknown>

let path: string

beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'framewire-diagnostics-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  path = join(folder, 's')
})

/** What is published on a channel from now on, and a promise of the first message that fits. */
function watch(channel: 'connection' | 'error' | 'drop') {
  const messages: Message[] = []
  const waiting: (() => void)[] = []
  const onMessage = (message: unknown) => {
    messages.push(message as Message)
    for (const look of waiting) look()
  }
  subscribe(`framewire:${channel}`, onMessage)
  onTestFinished(() => void unsubscribe(`framewire:${channel}`, onMessage))
  const seen = (fits: (message: Message) => boolean) =>
    new Promise<Message>((resolve) => {
      const look = () => {
        const found = messages.find(fits)
        if (found !== undefined) resolve(found)
      }
      waiting.push(look)
      look()
    })
  return { messages, seen }
}

/** A peer that declares a frame of 150 MB. */
async function stranger(): Promise<void> {
  const socket = connectSocket(path)
  socket.resume().write(Buffer.from([9, 9, 9, 9]))
  await once(socket, 'close')
}

describe('the diagnostics channels', () => {
  it('tell of connections: of a server, of connect, of a client', async () => {
    const { messages, seen } = watch('connection')
    const server = createServer({ onRequest: (payload) => payload })
    await server.listen(path)

    const connection = await connect({ path })
    const accepted = await seen((message) => 'server' in message)
    expect(Object.keys(accepted)).toEqual(['server', 'connection'])
    expect(accepted.server).toBe(server)
    expect(messages).toContainEqual({ connection })
    connection.destroy()

    const client = createClient({ path })
    const [{ connectionId }] = await once(client, 'connect')
    expect(messages).toContainEqual({ connectionId })
    await client.close()
    await server.close()
  })

  it('tell of errors without anybody who listens: of connections and of handlers', async () => {
    const { seen } = watch('error')
    const server = createServer({
      maxFrameLength: 10,
      onRequest() {
        throw new Error('handler')
      },
    })
    await server.listen(path)
    await stranger()
    const fault = await seen(({ error }) => (error as { code: string }).code === 'ERR_FRAME_TOO_LARGE')
    expect(Object.keys(fault)).toEqual(['connection', 'error'])
    expect((fault.error as { connectionId: number }).connectionId).toBe((fault.connection as Connection).id)

    await expect(request({ path }, 'x')).rejects.toMatchObject({ code: 'ERR_FRAME_CONNECTION_LOST' })
    const failure = await seen(({ error }) => (error as { code: string }).code === 'ERR_FRAME_HANDLER')
    expect(Object.keys(failure)).toEqual(['server', 'connection', 'error'])
    expect(failure.server).toBe(server)
    await server.close()
  })

  it('tell of errors of a client, and of a wrapped stream', async () => {
    const errors = watch('error')
    const connections = watch('connection')
    const server = createServer({ onRequest: () => Buffer.alloc(100) })
    await server.listen(path)
    const client = createClient({ path, maxFrameLength: 10, reconnect: false })
    await expect(client.request('x')).rejects.toMatchObject({ code: 'ERR_FRAME_CONNECTION_LOST' })
    const message = await errors.seen((message) => 'connectionId' in message)
    expect(message).toEqual({ connectionId: expect.any(Number), error: expect.any(Error) })
    await client.close()
    await server.close()

    const told = connections.messages.length
    const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
    const connection = wrap(stream, { maxFrameLength: 10 })
    connection.on('frame', () => {})
    stream.push(Buffer.from([9, 9, 9, 9]))
    const { error } = await errors.seen((message) => message.connection === connection)
    expect(error).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE' })
    expect(connections.messages.length).toBe(told)
  })

  it('tell of connections that are turned away', async () => {
    const { seen } = watch('drop')
    const server = createServer({ maxConnections: 1 }, (connection) => connection.on('frame', () => {}))
    await server.listen(path)
    const first = await connect({ path })
    const second = await connect({ path })
    expect(await seen(() => true)).toEqual({ server, reason: 'limit', count: 1 })
    first.destroy()
    second.destroy()
    await server.close()
  })
})

describe('errorMonitor', () => {
  it.each([
    [0, []],
    [1, ['ERR_FRAME_TOO_LARGE']],
    [2, ['ERR_FRAME_TOO_LARGE']],
  ])('of a connection with %i listeners of error', async (count, expected) => {
    const monitored: string[] = []
    const server = createServer({ maxFrameLength: 10 }, (connection) => {
      connection.on('frame', () => {})
      connection.on(errorMonitor as never, (error: { code: string }) => monitored.push(error.code))
      for (let i = 0; i < count; i++) connection.on('error', () => {})
    })
    await server.listen(path)
    await stranger()
    await server.close()
    expect(monitored).toEqual(expected)
  })
})
