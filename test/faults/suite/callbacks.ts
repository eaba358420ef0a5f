/** What consumers do from inside a callback: throw, reject, close, destroy, pause, and close somebody else. */
import type { Socket } from 'node:net'
import { type Connection, createServer } from 'framewire'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  type Backend,
  closing,
  deferred,
  frame,
  pattern,
  settled,
  stage,
  trace,
  uncaught,
  until,
} from '../../contract/suite/harness.js'

const letters = ['a', 'b', 'c', 'd', 'e']
const five = Buffer.concat(letters.map(frame))

/** As `uncaught`, for promises nobody handles. */
async function unhandled(count: number, run: () => Promise<void>): Promise<unknown[]> {
  const before = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  const reasons: unknown[] = []
  try {
    process.on('unhandledRejection', (reason) => reasons.push(reason))
    await run()
    await until(() => reasons.length >= count)
  } finally {
    process.removeAllListeners('unhandledRejection')
    for (const listener of before) process.on('unhandledRejection', listener)
  }
  return reasons
}

export function callbackFaults(backend: Backend): void {
  describe('14. behind a consumer that fails in mid-batch the rest is still delivered', () => {
    it('a listener that throws', async () => {
      const { raw, accepted } = await stage(backend)
      const peer = await raw()
      const server = await accepted()
      const got: string[] = []
      const errors = await uncaught(letters.length, async () => {
        server.on('frame', (payload) => {
          got.push(String(payload))
          throw new Error(`no ${payload}`)
        })
        await peer.write(five)
      })
      expect(got).toEqual(letters)
      expect(errors.map((error) => (error as Error).message)).toEqual(letters.map((letter) => `no ${letter}`))
      expect(server.closed).toBe(false)
    })

    it.each([5000, 20_000, 100_000])(
      'a listener that throws, or a tick behind it: frames of %i bytes',
      async (size) => {
        const { raw, accepted } = await stage(backend)
        const peer = await raw()
        const server = await accepted()
        const count = 200
        let right = 0
        const kept: Buffer[] = []
        const errors = await uncaught(count, async () => {
          server.on('frame', (payload) => {
            const i = kept.push(payload) - 1
            if (payload.equals(pattern(size, i))) right++
            if (i % 2 === 0) throw new Error('here')
            process.nextTick(() => {
              throw new Error('behind')
            })
          })
          await peer.write(Buffer.concat(Array.from({ length: count }, (_, i) => frame(pattern(size, i)))))
        })
        expect([errors.length, right, kept.length]).toEqual([count, count, count])
        // Nothing was read over them either.
        for (const [i, payload] of kept.entries()) expect(payload.equals(pattern(size, i))).toBe(true)
      },
    )

    it('a listener that rejects', async () => {
      const { raw, accepted } = await stage(backend)
      const peer = await raw()
      const server = await accepted()
      const got: string[] = []
      const reasons = await unhandled(letters.length, async () => {
        server.on('frame', async (payload) => {
          got.push(String(payload))
          throw new Error(`no ${payload}`)
        })
        await peer.write(five)
      })
      expect(got).toEqual(letters)
      expect(reasons.length).toBe(letters.length)
    })

    it('a batch callback that throws, on several connections in one turn', async () => {
      const { raw, accepted } = await stage(backend)
      const peers = [await raw(), await raw(), await raw()]
      const got: string[] = []
      const errors = await uncaught(3, async () => {
        for (const [i] of peers.entries()) {
          const server = await accepted()
          server.onBatch((batch) => {
            for (let at = 0; at < batch.length; at++) got.push(`${i}${batch.text(at)}`)
            throw new Error('no')
          })
        }
        await Promise.all(peers.map((peer) => peer.write(frame('x'))))
      })
      expect(errors.length).toBe(3)
      expect(got.sort()).toEqual(['0x', '1x', '2x'])
    })

    it('a request handler that throws or rejects fails its own connection only', async () => {
      const failures: unknown[] = []
      const { raw, server } = await stage(backend, {
        onRequest: async (payload) => {
          if (String(payload) === 'c') throw new Error('no c')
          return payload
        },
      })
      server.on('error', (error) => failures.push((error as { code?: string }).code))
      const peer = await raw()
      const other = await raw()
      peer.socket.write(five)
      await peer.ended()
      expect(String(peer.received)).toBe(String(Buffer.concat([frame('a'), frame('b')])))
      await other.write(frame('x'))
      await until(() => other.received.length === 5)
      expect(failures).toEqual(['ERR_FRAME_HANDLER'])
    })
  })

  describe('an async callback that hears how its connection ended, and does not catch it', () => {
    type Served = Connection<Buffer, Uint8Array | string>
    const sendOn = async (connection: Served) => {
      for (;;) await connection.sendAsync('more')
    }
    const ways: Record<string, (connection: Served) => unknown> = {
      'a loop': async (connection) => {
        for await (const payload of connection) connection.send(payload)
      },
      'a loop that sends': async (connection) => {
        for await (const _payload of connection) await sendOn(connection)
      },
      'a Duplex': async (connection) => {
        for await (const payload of connection.toDuplex()) void payload
      },
      'a web stream': async (connection) => {
        for await (const payload of connection.toWeb().readable) void payload
      },
      "a listener of 'frame'": (connection) => connection.on('frame', () => sendOn(connection)),
      "one of several of 'frame'": (connection) =>
        connection.on('frame', () => {}).on('frame', () => sendOn(connection)),
      'a batch callback': (connection) => connection.onBatch(() => sendOn(connection)),
      "a listener of 'end' or 'close'": (connection) =>
        connection
          .on('frame', () => {})
          .on('end', () => sendOn(connection))
          .on('close', () => sendOn(connection)),
    }
    const leaving: Record<string, (socket: Socket) => unknown> = {
      'breaks the rules': (socket) => socket.write(Buffer.from([255, 255, 255, 255])),
      'ends in the middle of a frame': (socket) => socket.end(Buffer.from([0, 0, 0, 9, 1])),
      ends: (socket) => socket.end(),
      'is gone, whatever it has not read': (socket) => socket.destroy(),
    }
    // Who is in the middle of a loop, or listens to 'end', may answer a peer that has only ended.
    const answers = ['a loop that sends', "a listener of 'end' or 'close'"]
    const cases = Object.keys(ways).flatMap((way) =>
      Object.keys(leaving)
        .filter((how) => how !== 'ends' || !answers.includes(way))
        .map((how) => [way, how] as const),
    )

    it.each(cases)('%s: a peer that %s does not end the process', async (way, how) => {
      const { server, raw } = await stage(backend)
      const reasons = await unhandled(0, async () => {
        let seen = 0
        server.on('connection', async (connection) => {
          seen++
          await ways[way](connection)
        })
        const peer = await raw()
        peer.socket.on('error', () => {}).pause()
        await peer.write(frame('a'))
        await until(() => seen === 1 && server.stats().framesReceived === 1)
        leaving[how](peer.socket)
        await until(() => server.stats().connections === 0)
        for (let turn = 0; turn < 10; turn++) await settled()
      })
      expect(reasons).toEqual([])
    })

    it('a listener that awaits its sends, of a peer that sends more than there is memory for', async () => {
      const { server, raw } = await stage(backend, { memoryBudget: 64 * 1024 })
      const reasons = await unhandled(0, async () => {
        server.on('connection', (connection) => {
          connection.on('frame', async () => {
            await connection.sendAsync('')
          })
        })
        const peer = await raw()
        peer.socket.on('error', () => {}).write(Buffer.alloc(4 * 16_000))
        await until(() => server.stats().faults === 1 && server.stats().connections === 0)
        for (let turn = 0; turn < 10; turn++) await settled()
      })
      expect(reasons).toEqual([])
    })

    it('and what is not about that is unhandled, as everywhere', async () => {
      const { server, raw } = await stage(backend, { maxFrameLength: 10 })
      const reasons = await unhandled(3, async () => {
        server.on('connection', async (connection) => {
          connection.on('frame', async () => {
            connection.send('longer than ten')
          })
          connection.on('close', async () => {
            throw new Error('mine')
          })
        })
        server.on('connection', async () => {
          throw new Error('its own')
        })
        const peer = await raw()
        await peer.write(frame('a'))
        peer.socket.end()
        await until(() => server.stats().connections === 0)
      })
      const said = reasons.map((reason) => (reason as { code?: string }).code ?? (reason as Error).message)
      expect(said.sort()).toEqual(['ERR_FRAME_TOO_LARGE', 'its own', 'mine'])
    })
  })

  describe('15. from inside a callback', () => {
    it.each(['pause', 'destroy', 'close', 'end'] as const)('%s() is safe', async (method) => {
      const { raw, accepted } = await stage(backend)
      const peer = await raw()
      const server = await accepted()
      const got: string[] = []
      const closed = closing(server)
      server.on('frame', (payload) => {
        got.push(String(payload))
        if (got.length === 2) void server[method]()
      })
      await peer.write(five)
      if (method === 'destroy' || method === 'close') {
        await closed
        expect(got).toEqual(['a', 'b'])
        return
      }
      if (method === 'end') {
        await until(() => got.length === 5)
        expect(server.writable).toBe(false)
        return
      }
      await until(() => got.length >= 2)
      for (let turn = 0; turn < 20; turn++) await settled()
      expect(got).toEqual(['a', 'b'])
      server.resume()
      await until(() => got.length === 5)
      expect(got).toEqual(letters)
    })

    it('destroying every other connection ends what is told of them', async () => {
      const { raw, accepted } = await stage(backend)
      const peers = await Promise.all(Array.from({ length: 20 }, () => raw()))
      const servers = await Promise.all(peers.map(() => accepted()))
      const first = deferred<number>()
      let after = 0
      let isOver = false
      for (const [i, server] of servers.entries()) {
        server.on('frame', () => {
          if (isOver) {
            if (servers[i].closed) after++
            return
          }
          isOver = true
          for (const other of servers) if (other !== server) other.destroy()
          first.resolve(i)
        })
        server.on('frame', () => {})
      }
      const told = servers.map((server) => trace(server, { consume: false }))
      await Promise.all(peers.map((peer) => peer.write(five)))
      const survivor = await first.promise
      await until(() => servers.every((server, i) => i === survivor || server.closed))
      expect(after).toBe(0)
      expect(told).toEqual(servers.map((_, i) => (i === survivor ? [] : ['close'])))
    })

    it('closing the whole server is safe, with frames of many connections on their way', async () => {
      const server = createServer({ backend })
      const done = deferred()
      let count = 0
      server.on('connection', (connection) => {
        connection.onBatch((batch) => {
          count += batch.length
          if (count < 50) return
          void server.close({ timeout: 0 }).then(done.resolve)
        })
      })
      const { path, raw } = await stage(backend)
      await server.listen(`${path}2`)
      onTestFinished(() => server.close({ timeout: 0 }))
      const { RawPeer } = await import('../../contract/suite/harness.js')
      const peers = await Promise.all(Array.from({ length: 10 }, () => RawPeer.connect(`${path}2`)))
      for (const peer of peers) peer.socket.write(Buffer.concat([five, five, five]))
      await done.promise
      expect(server.stats().connections).toBe(0)
      const alive = await raw()
      await alive.write(frame('x'))
    })

    it('sending to a connection that this very turn has closed does nothing', async () => {
      const { raw, accepted } = await stage(backend)
      const peers = [await raw(), await raw()]
      const servers = [await accepted(), await accepted()]
      const large = pattern(100_000)
      const results: boolean[] = []
      const told = deferred()
      for (const [i, server] of servers.entries()) {
        server.on('frame', () => {
          const other = servers[1 - i]
          other.destroy()
          results.push(other.send('late'), other.send(large))
          other.end()
          other.pause()
          other.resume()
          told.resolve()
        })
      }
      await peers[0].write(frame('go'))
      await told.promise
      expect(results).toEqual([false, false])
      await until(() => servers[1].closed)
    })
  })
}
