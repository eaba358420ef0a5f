/** How connections end, and what a callback may do to its own. */
import { once } from 'node:events'
import { runInNewContext } from 'node:vm'
import { type Connection, createClient } from 'framewire'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  type Backend,
  closing,
  frame,
  frames,
  pattern,
  settled,
  stage,
  trace,
  uncaught,
  unframe,
  until,
} from './harness.js'
import type { Bytes } from './service.js'

/** Three frames in one write: they arrive as one batch. */
const three = Buffer.concat(['a', 'b', 'c'].map(frame))

export function lifecycleContract(backend: Backend): void {
  it('ends on both sides when one has ended and nobody asks for more', async () => {
    const { pair } = await stage(backend)
    const [client, server] = await pair()
    const events = [trace(client), trace(server)]
    const both = Promise.all([closing(client), closing(server)])
    client.end('bye')
    await both
    expect(events).toEqual([['close'], ['frame bye', 'close']])
    expect([client.closed, server.closed]).toEqual([true, true])
  })

  it('lets replies arrive after the peer has ended its side', async () => {
    const { raw, accepted } = await stage(backend)
    const peer = await raw()
    const server = await accepted()
    const got: string[] = []
    server.on('frame', (payload) => got.push(String(payload)))
    server.on('end', () => {
      setImmediate(() => {
        for (const text of got) server.send(text)
        server.end()
      })
    })
    peer.socket.end(three)
    expect(unframe(await peer.ended()).map(String)).toEqual(['a', 'b', 'c'])
  })

  it('lets a loop reply until it is over', async () => {
    const { raw, accepted } = await stage(backend)
    const peer = await raw()
    const server = await accepted()
    peer.socket.end(three)
    for await (const payload of server) await server.sendAsync(payload)
    server.send('that was all')
    expect(unframe(await peer.ended()).map(String)).toEqual(['a', 'b', 'c', 'that was all'])
  })

  it('still receives after it has ended its own side', async () => {
    const { raw, accepted } = await stage(backend)
    const peer = await raw()
    const server = await accepted()
    const events = trace(server)
    server.end('only this')
    expect(unframe(await peer.ended()).map(String)).toEqual(['only this'])
    const closed = closing(server)
    peer.socket.end(three)
    await closed
    expect(events).toEqual(['frame a', 'frame b', 'frame c', 'close'])
  })

  it('closes gracefully: what was sent arrives', async () => {
    const { pair } = await stage(backend)
    const [client, server] = await pair()
    const large = pattern(2_000_000)
    const got = frames(client, 2)
    server.send(large)
    server.send('bye')
    await server.close()
    const [first, second] = await got
    expect(first.equals(large)).toBe(true)
    expect(String(second)).toBe('bye')
    expect(server.closed).toBe(true)
  })

  it('closes by force when the peer does not read in time', async () => {
    const { raw, accepted } = await stage(backend)
    const peer = await raw()
    const server = await accepted()
    peer.socket.pause()
    server.send(Buffer.alloc(8_000_000))
    await server.close({ timeout: 50 })
    expect(server.closed).toBe(true)
  })

  it('can be closed and destroyed any number of times', async () => {
    const { pair } = await stage(backend)
    const [client, server] = await pair()
    const events = trace(server)
    await Promise.all([server.close(), server.close()])
    server.destroy()
    server.end()
    server.pause()
    server.resume()
    await server.close()
    expect(events).toEqual(['close'])
    client.destroy()
  })

  it('is disposed of', async () => {
    const { pair } = await stage(backend)
    const [, server] = await pair()
    await server[Symbol.asyncDispose]()
    expect(server.closed).toBe(true)
  })

  it('refuses a timeout that is none, and stays as it is', async () => {
    const { pair } = await stage(backend)
    const [client, server] = await pair()
    const invalid = expect.objectContaining({ code: 'ERR_FRAME_OPTION_INVALID' })
    for (const timeout of [-1, 0.5, Number.NaN, 2 ** 31, '5', null]) {
      await expect(client.close({ timeout: timeout as never })).rejects.toThrow(invalid)
    }
    await expect(client.close(null as never)).rejects.toThrow(invalid)
    await expect(client.sendAsync('x', null as never)).rejects.toThrow(invalid)
    const got = frames(client, 1)
    server.send('still here')
    expect(String((await got)[0])).toBe('still here')
  })

  it('says what a timeout of 0 means where it refuses another', async () => {
    const { server, path, pair } = await stage(backend)
    const [connection] = await pair()
    const client = createClient({ backend, path })
    onTestFinished(() => client.close())
    for (const one of [server, connection, client]) {
      await expect(one.close({ timeout: -1 })).rejects.toThrow('from 0 (at once) to 2147483647, not -1')
    }
    await expect(client.request('x', { timeout: -1 })).rejects.toThrow('from 0 (off) to 2147483647, not -1')
  })

  it('waits for as long as it was told to close gracefully', async () => {
    const { raw, accepted } = await stage(backend)
    const peer = await raw()
    peer.socket.pause()
    const server = await accepted()
    const payload = pattern(3_000_000)
    server.send(payload)
    const closed = server.close({ timeout: 2 ** 31 - 1 })
    // A timeout that overflows would be over by now.
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(server.closed).toBe(false)
    peer.socket.resume()
    expect((await peer.ended()).equals(frame(payload))).toBe(true)
    peer.socket.end()
    await closed
  })

  it('is not claimed by an argument that is no consumer', async () => {
    const { pair } = await stage(backend)
    const [client, server] = await pair()
    for (const callback of [undefined, null, {}, 'x']) {
      expect(() => server.onBatch(callback as never)).toThrow(
        expect.objectContaining({ code: 'ERR_FRAME_OPTION_INVALID' }),
      )
    }
    const got = frames(server, 1)
    client.send('not lost')
    expect(String((await got)[0])).toBe('not lost')
  })

  it("emits 'close' with the error it was destroyed with, and 'error' to who listens", async () => {
    const { pair } = await stage(backend)
    const [client, server] = await pair()
    const reason = new Error('my own reason')
    const errors: Error[] = []
    client.on('error', (error) => errors.push(error))
    const closed = closing(client)
    client.destroy(reason)
    expect(await closed).toBe(reason)
    expect(errors).toEqual([reason])
    const unheard = closing(server)
    server.destroy(reason)
    expect(await unheard).toBe(reason)
  })

  it('is destroyed with an Error, one of another realm too, or with none', async () => {
    const { pair } = await stage(backend)
    const [client, server] = await pair()
    const invalid = expect.objectContaining({ name: 'TypeError', code: 'ERR_FRAME_OPTION_INVALID' })
    for (const error of [5, 'why', {}, true]) {
      expect(() => client.destroy(error as never)).toThrow(invalid)
    }
    const got = frames(client, 1)
    server.send('still here')
    expect(String((await got)[0])).toBe('still here')
    const foreign = runInNewContext(`new Error('elsewhere')`)
    const closed = closing(server)
    server.destroy(foreign)
    expect(await closed).toBe(foreign)
    const unheard = closing(client)
    client.destroy(null)
    expect(await unheard).toBeUndefined()
    const [streamed] = await pair()
    const ended = closing(streamed)
    // Node's streams take anything.
    const duplex = streamed.toDuplex().on('error', () => {})
    duplex.destroy('why' as never)
    expect(await ended).toMatchObject({ code: 'ERR_FRAME_CLOSED', cause: 'why' })
  })

  it('tells of a reset as a lost connection', async () => {
    const { raw, accepted } = await stage(backend)
    const peer = await raw()
    const server = await accepted()
    const events = trace(server)
    // Closing a unix socket with unread input resets it.
    const closed = closing(server)
    peer.socket.pause()
    server.send(Buffer.alloc(1_000_000))
    await peer.write(three)
    await until(() => server.stats().framesReceived >= 3)
    peer.socket.destroy()
    expect(await closed).toMatchObject({ code: 'ERR_FRAME_CONNECTION_LOST', connectionId: server.id })
    expect(events).toEqual([
      'frame a',
      'frame b',
      'frame c',
      'error ERR_FRAME_CONNECTION_LOST',
      'close ERR_FRAME_CONNECTION_LOST',
    ])
  })

  it.each(['pause', 'destroy', 'close'] as const)(
    'stops in the middle of a batch on %s()',
    async (method) => {
      const { raw, accepted } = await stage(backend)
      const peer = await raw()
      const server = await accepted()
      const got: string[] = []
      server.on('frame', (payload) => {
        got.push(String(payload))
        if (got.length === 2) void server[method]()
      })
      await peer.write(three)
      if (method === 'pause') {
        await until(() => got.length >= 2)
        await peer.write(frame('d'))
        await settled()
        expect(got).toEqual(['a', 'b'])
        const all = new Promise((resolve) => server.on('frame', () => got.length === 4 && resolve(null)))
        server.resume()
        await all
        expect(got).toEqual(['a', 'b', 'c', 'd'])
      } else {
        await once(server, 'close')
        expect(got).toEqual(['a', 'b'])
      }
    },
  )

  it('goes on behind a listener that throws', async () => {
    const { raw, accepted } = await stage(backend)
    const peer = await raw()
    const server = await accepted()
    const got: string[] = []
    const errors = await uncaught(3, async () => {
      server.on('frame', (payload) => {
        got.push(String(payload))
        throw new Error(`no ${payload}`)
      })
      await peer.write(three)
    })
    expect(got).toEqual(['a', 'b', 'c'])
    expect(errors.map((error) => (error as Error).message)).toEqual(['no a', 'no b', 'no c'])
  })

  describe('a listener that throws keeps nothing from those behind it:', () => {
    const fail = () => {
      throw new Error('of a listener')
    }

    it("'close', and close() settles", async () => {
      const { pair } = await stage(backend)
      const [client] = await pair()
      client.on('close', fail)
      const heard = vi.fn()
      client.on('close', heard)
      expect(await uncaught(1, () => client.close())).toMatchObject([{ message: 'of a listener' }])
      expect(heard).toHaveBeenCalledTimes(1)
    })

    it.each([
      ['Duplex', writesToDuplex],
      ['web stream', writesToWeb],
    ])("'drain', and a %s goes on writing", async (_name, writesTo) => {
      const { pair } = await stage(backend)
      const [client, server] = await pair()
      client.once('drain', fail)
      const got = frames(server, 5)
      const written = writesTo(client, 5)
      await uncaught(1, async () => void (await got))
      expect(await written).toEqual(Array(5).fill('written'))
    })

    it.each([
      ['Duplex', writesToDuplex],
      ['web stream', writesToWeb],
    ])("'close', and a write to a %s that waits fails", async (_name, writesTo) => {
      const { raw, accepted } = await stage(backend)
      const peer = await raw()
      const server = await accepted()
      peer.socket.pause()
      server.on('error', () => {})
      server.on('close', fail)
      const written = writesTo(server, 5)
      await until(() => server.stats().bytesQueued > 0)
      await uncaught(1, () => void peer.socket.destroy())
      expect(await written).toContain('failed')
    })
  })

  it('goes on behind a batch callback that throws', async () => {
    const { raw, accepted } = await stage(backend)
    const peer = await raw()
    const server = await accepted()
    let count = 0
    const all = new Promise<void>((resolve) => {
      server.onBatch((batch) => {
        count += batch.length
        if (count >= 6) resolve()
        if (count === 3) throw new Error('no')
      })
    })
    const errors = await uncaught(1, () => peer.write(three))
    await peer.write(three)
    await all
    expect(errors.length).toBe(1)
  })

  it('keeps frames between two listeners that want one each', async () => {
    const { raw, accepted } = await stage(backend)
    const peer = await raw()
    const server = await accepted()
    await peer.write(three)
    expect(String(await once(server, 'frame'))).toBe('a')
    expect(String(await once(server, 'frame'))).toBe('b')
    expect(String(await once(server, 'frame'))).toBe('c')
  })

  it('destroys the connection when a loop is left', async () => {
    const { raw, accepted } = await stage(backend)
    const peer = await raw()
    const server = await accepted()
    const closed = closing(server)
    await peer.write(three)
    for await (const payload of server) {
      expect(String(payload)).toBe('a')
      break
    }
    expect(await closed).toBeUndefined()
    await peer.ended()
  })

  it('throws out of a loop what closed the connection, after the frames before it', async () => {
    const { raw, accepted } = await stage(backend)
    const peer = await raw()
    const server = await accepted()
    peer.socket.end(Buffer.concat([three, Buffer.from([0, 0])]))
    const got: string[] = []
    const loop = async () => {
      for await (const payload of server) got.push(String(payload))
    }
    await expect(loop()).rejects.toMatchObject({ code: 'ERR_FRAME_TRUNCATED', received: 2 })
    expect(got).toEqual(['a', 'b', 'c'])
  })

  it('counts frames and bytes in both directions', async () => {
    const { pair } = await stage(backend)
    const [client, server] = await pair()
    server.on('frame', (payload) => server.send(payload))
    const got = frames(client, 2)
    client.send('12345')
    client.send('')
    await got
    const expected = {
      framesReceived: 2,
      bytesReceived: 13,
      framesSent: 2,
      bytesAccepted: 13,
      bytesWritten: 13,
      bytesQueued: 0,
    }
    expect(client.stats()).toEqual(expected)
    expect(server.stats()).toEqual(expected)
  })

  it('lets the server and its connections end by themselves', async () => {
    const { server, pair } = await stage(backend)
    const [client, accepted] = await pair()
    const got = frames(client, 1)
    const closed = closing(client)
    accepted.send('bye')
    await server.close({ timeout: 5000 })
    expect(String((await got)[0])).toBe('bye')
    expect(await closed).toBeUndefined()
  })

  it('gives up connecting when aborted', async () => {
    const { connect } = await stage(backend)
    const reason = new Error('changed my mind')
    expect(await connect({ signal: AbortSignal.abort(reason) }).catch((error) => error)).toBe(reason)
    const controller = new AbortController()
    const connecting = connect({ signal: controller.signal }).catch((error) => error)
    controller.abort(reason)
    expect(await connecting).toBe(reason)
  })

  it('rejects with the system’s error when nobody listens', async () => {
    const { path, connect } = await stage(backend)
    await expect(connect({ path: `${path}.none` })).rejects.toMatchObject({ code: 'ENOENT' })
  })
}

const MEGABYTE = Buffer.alloc(1_000_000)

/** Writes frames of 1 MB one behind the other, and says what became of each. */
async function writesToDuplex(connection: Connection<Buffer, Bytes>, count: number): Promise<string[]> {
  const duplex = connection.toDuplex()
  duplex.on('error', () => {})
  const write = () =>
    new Promise<string>((resolve) => duplex.write(MEGABYTE, (error) => resolve(error ? 'failed' : 'written')))
  return Promise.all(Array.from({ length: count }, write))
}

async function writesToWeb(connection: Connection<Buffer, Bytes>, count: number): Promise<string[]> {
  const writer = connection.toWeb().writable.getWriter()
  writer.closed.catch(() => {})
  const write = () =>
    writer.write(MEGABYTE).then(
      () => 'written',
      () => 'failed',
    )
  return Promise.all(Array.from({ length: count }, write))
}
