import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Connection, connect, createServer } from 'framewire'
import { describe, expect, it, onTestFinished } from 'vitest'

const backends = process.env.FRAMEWIRE_BACKEND === 'js' ? (['js'] as const) : (['js', 'native'] as const)

describe('asynchronous context', () => {
  it.each(backends)(
    'what the first caller carried is not carried on to everybody else: %s',
    async (backend) => {
      const directory = await mkdtemp(join(tmpdir(), 'fw-'))
      onTestFinished(() => rm(directory, { recursive: true, force: true }))
      const storage = new AsyncLocalStorage<string>()
      const seen: unknown[] = []
      const path = join(directory, 's')
      const server = createServer({ backend }, (connection) =>
        connection.on('frame', (payload) => connection.send(payload)),
      )
      onTestFinished(() => server.close({ timeout: 0 }))
      await storage.run('whoever came first', () => server.listen(path))
      const ask = async (who: string): Promise<Connection> => {
        const connection = await connect({ backend, path })
        onTestFinished(() => void connection.destroy())
        connection.on('frame', () => seen.push(storage.getStore() ?? who))
        connection.send('x')
        await once(connection, 'frame')
        return connection
      }
      await storage.run('first', () => ask('first'))
      await storage.run('second', () => ask('second'))
      expect(seen).toEqual(['first', 'second'])
    },
  )
})
