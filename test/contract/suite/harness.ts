/** What the contract tests stand on: a server and its peers, every one of them closed when the test ends. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect as connectRaw, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  type Connection,
  type ConnectOptions,
  connect,
  createServer,
  type ListenOptions,
  type Server,
  type ServerOptions,
} from 'framewire'
import { onTestFinished } from 'vitest'

export type Backend = 'js' | 'native'

type Bytes = Uint8Array | string

/** Where a server listens: with `port` 0 it is not yet known. */
export type Place = { readonly path: string } | { readonly host: string; readonly port: number }

export interface Stage {
  readonly server: Server<Buffer, Bytes>
  readonly place: Place
  /** Of its unix socket, or pipe; empty where it listens on a port. */
  readonly path: string
  /** The next connection the server accepts; each is given out once. */
  accepted(): Promise<Connection<Buffer, Bytes>>
  /** A client of the same backend. */
  connect(options?: Partial<ConnectOptions>): Promise<Connection<Buffer, Bytes>>
  /** A client, and the server's side of it. */
  pair(
    options?: Partial<ConnectOptions>,
  ): Promise<[client: Connection<Buffer, Bytes>, server: Connection<Buffer, Bytes>]>
  /** A peer that writes whatever it likes. */
  raw(): Promise<RawPeer>
}

/** A unix socket in `directory`; on Windows a pipe, and TCP for the addon, which has nothing else there. */
function placeIn(directory: string, backend: Backend): Place {
  if (process.platform !== 'win32') return { path: join(directory, 's') }
  if (backend === 'native') return { host: '127.0.0.1', port: 0 }
  return { path: join('\\\\.\\pipe', basename(directory)) }
}

/** A server at a place of its own. */
export async function stage(backend: Backend, options: ServerOptions<Buffer, Bytes> = {}): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), 'fw-'))
  const arrived: Connection<Buffer, Bytes>[] = []
  const waiting: ((connection: Connection<Buffer, Bytes>) => void)[] = []
  const server = createServer({ backend, ...options } as ServerOptions<Buffer, Bytes> & {
    serialization?: 'buffer'
  })
  server.on('connection', (connection) => {
    const next = waiting.shift()
    if (next === undefined) arrived.push(connection)
    else next(connection)
  })
  const place = (await server.listen(placeIn(directory, backend) as ListenOptions)) as Place
  onTestFinished(async () => {
    await server.close({ timeout: 0 })
    await rm(directory, { recursive: true, force: true })
  })
  const accepted = () => {
    const there = arrived.shift()
    if (there !== undefined) return Promise.resolve(there)
    return new Promise<Connection<Buffer, Bytes>>((resolve) => waiting.push(resolve))
  }
  const open = async (more: Partial<ConnectOptions> = {}) => {
    const connection = await connect({ backend, ...place, ...more } as ConnectOptions & {
      serialization?: 'buffer'
    })
    onTestFinished(() => void connection.destroy())
    return connection
  }
  return {
    server,
    place,
    path: 'path' in place ? place.path : '',
    accepted,
    connect: open,
    pair: async (more) => {
      const client = await open(more)
      return [client, await accepted()]
    },
    raw: () => RawPeer.connect(place),
  }
}

/** A plain socket, with what it has read. */
export class RawPeer {
  readonly socket: Socket
  /** The codes of what went wrong with it. */
  readonly errors: (string | undefined)[] = []
  #received: Buffer[] = []

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk) => this.#received.push(chunk))
    socket.on('error', (error: NodeJS.ErrnoException) => this.errors.push(error.code))
  }

  static async connect(place: Place | string): Promise<RawPeer> {
    const where = typeof place === 'string' ? { path: place } : place
    const socket = connectRaw({ ...where, allowHalfOpen: true })
    onTestFinished(() => void socket.destroy())
    await once(socket, 'connect')
    return new RawPeer(socket)
  }

  get received(): Buffer {
    return Buffer.concat(this.#received)
  }

  /** Settles when the kernel has it. */
  write(bytes: Uint8Array | string): Promise<void> {
    return new Promise((resolve, reject) =>
      this.socket.write(bytes, (error) => (error ? reject(error) : resolve())),
    )
  }

  /** Settles when the server has ended its side. */
  async ended(): Promise<Buffer> {
    if (!this.socket.readableEnded && !this.socket.destroyed) await once(this.socket, 'end')
    return this.received
  }

  async closed(): Promise<Buffer> {
    if (!this.socket.closed) await new Promise((resolve) => this.socket.once('close', resolve))
    return this.received
  }
}

/** A frame with a 4-byte big-endian length. */
export function frame(payload: Uint8Array | string): Buffer {
  const bytes = Buffer.from(payload)
  const header = Buffer.alloc(4)
  header.writeUInt32BE(bytes.length)
  return Buffer.concat([header, bytes])
}

/** Payloads of consecutive frames; the rest is no frame. */
export function unframe(bytes: Buffer): Buffer[] {
  const payloads: Buffer[] = []
  for (let at = 0; at + 4 <= bytes.length; ) {
    const end = at + 4 + bytes.readUInt32BE(at)
    if (end > bytes.length) break
    payloads.push(bytes.subarray(at + 4, end))
    at = end
  }
  return payloads
}

/** What a connection tells, in order, as short words. */
export function trace(connection: Connection<Buffer, Bytes>, options: { consume?: boolean } = {}): string[] {
  const events: string[] = []
  const word = (name: string, error?: Error) => {
    const code = (error as { code?: string } | undefined)?.code
    events.push(error === undefined ? name : `${name} ${code}`)
  }
  if (options.consume !== false) connection.on('frame', (payload) => events.push(`frame ${short(payload)}`))
  connection.on('drain', () => events.push('drain'))
  connection.on('error', (error) => word('error', error))
  connection.on('close', (error) => word('close', error))
  return events
}

function short(payload: Uint8Array): string {
  return payload.length <= 16 ? Buffer.from(payload).toString() : `${payload.length} bytes`
}

/** Settles with what closed the connection. */
export function closing(
  connection: Connection<Buffer, Bytes> | Connection<string>,
): Promise<(Error & { code?: string }) | undefined> {
  return new Promise((resolve) => connection.once('close', (error) => resolve(error)))
}

/** The next `count` frames in 'frame' mode. */
export function frames(connection: Connection<Buffer, Bytes>, count: number): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    const got: Buffer[] = []
    connection.on('frame', (payload) => {
      got.push(payload)
      if (got.length === count) resolve(got)
    })
    connection.on('close', (error) =>
      reject(error ?? new Error(`closed after ${got.length} of ${count} frames`)),
    )
  })
}

/** A turn of the event loop, input included. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Below the time limit of a test, so that what was waited for is said and not only where the test begins. */
const UNTIL_MS = 25_000

/** Turns of the loop until it is so, without sleeping. */
export async function until(isSo: () => boolean): Promise<void> {
  const end = performance.now() + UNTIL_MS
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`Not so after ${UNTIL_MS} ms: ${isSo}`)
    await settled()
  }
}

/** A promise and what settles it. */
export function deferred<T = void>(): {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (reason: unknown) => void
} {
  let resolve!: (value: T) => void
  let reject!: (reason: unknown) => void
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

/** Everything that nobody can reach is gone behind it. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
}

/** What a consumer that is slower than the source gets, and the code it ends with. */
export async function collect(source: AsyncIterable<unknown>): Promise<[got: string[], code: unknown]> {
  const got: string[] = []
  try {
    for await (const payload of source) {
      got.push(String(payload))
      await settled()
    }
  } catch (error) {
    return [got, (error as { code?: string }).code]
  }
  return [got, undefined]
}

/** Bytes that tell where they come from. */
export function pattern(length: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  let state = seed >>> 0 || 1
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}

/** The next value of a seeded generator from 0 to 1. */
export function randomizer(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0
    return state / 2 ** 32
  }
}

/** The process's uncaught exceptions while `run` runs, instead of a failed test. */
export async function uncaught(count: number, run: () => void | Promise<void>): Promise<unknown[]> {
  const before = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  const errors: unknown[] = []
  try {
    await new Promise<void>((resolve, reject) => {
      process.on('uncaughtException', (error) => {
        errors.push(error)
        if (errors.length === count) resolve()
      })
      Promise.resolve(run()).then(() => count === 0 && resolve(), reject)
    })
  } finally {
    process.removeAllListeners('uncaughtException')
    for (const listener of before) process.on('uncaughtException', listener)
  }
  return errors
}
