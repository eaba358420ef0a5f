/** Servers that answer, clients that ask, and exact waits for both; every one closed when its test ends. */
import { type EventEmitter, once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer as createNetServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Client,
  type ClientOptions,
  createClient,
  createServer,
  type Server,
  type ServerOptions,
} from 'framewire'
import { onTestFinished } from 'vitest'
import { type Backend, RawPeer } from './harness.js'

export type Bytes = Uint8Array | string

/** A folder that is gone when the test is over. */
export async function folder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'fw-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

export interface Service {
  readonly server: Server<Buffer, Bytes>
  readonly path: string
  raw(): Promise<RawPeer>
  client(options?: Partial<ClientOptions>): Client<Buffer, Bytes>
}

/** A server that listens on a unix socket of its own; nobody listens to its 'connection'. */
export async function service(backend: Backend, options: ServerOptions<Buffer, Bytes>): Promise<Service> {
  const path = join(await folder(), 's')
  const server = createServer({ backend, ...options } as ServerOptions<Buffer, Bytes> & {
    serialization?: 'buffer'
  })
  await server.listen(path)
  onTestFinished(() => server.close({ timeout: 0 }))
  return {
    server,
    path,
    raw: () => RawPeer.connect(path),
    client: (more = {}) => {
      const client = createClient({ backend, path, ...more } as ClientOptions & { serialization?: 'buffer' })
      onTestFinished(() => client.close({ timeout: 0 }))
      return client
    },
  }
}

/** A peer that does with each connection whatever the test says. */
export async function puppet(path: string, onSocket: (socket: Socket, n: number) => void) {
  let count = 0
  const sockets: Socket[] = []
  const server = createNetServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    onSocket(socket, count++)
  }).listen(path)
  await once(server, 'listening')
  const close = () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  onTestFinished(close)
  return { close }
}

/** What `promise` is rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<Error & Record<string, unknown>> {
  try {
    await promise
  } catch (error) {
    return error as Error & Record<string, unknown>
  }
  throw new Error('was expected to be rejected')
}

/** The next `count` times `event` is emitted; unlike `once` of node:events it takes no 'error' for an answer. */
export function emitted(emitter: EventEmitter, event: string, count = 1): Promise<void> {
  return new Promise((resolve) => {
    let left = count
    emitter.on(event, () => --left === 0 && resolve())
  })
}

type Settle = (value: unknown) => void

/** What looks like a promise and does what `then` says. */
export function thenable(then: (resolve: Settle, reject: Settle) => void): never {
  return { then } as never
}

/** Handlers whose promise fails where promises do not. */
export const brokenThenables: Record<string, () => never> = {
  'returns what throws in its then': () =>
    thenable(() => {
      throw new Error('the reason is private')
    }),
  'returns a promise with a then of its own, which throws': () =>
    Object.assign(Promise.resolve('unheard'), {
      // biome-ignore lint/suspicious/noThenProperty: that is what it is for
      then: () => {
        throw new Error('the reason is private')
      },
    }) as never,
  'returns what has no then to read': () =>
    ({
      // biome-ignore lint/suspicious/noThenProperty: that is what it is for
      get then() {
        throw new Error('the reason is private')
      },
    }) as never,
}
