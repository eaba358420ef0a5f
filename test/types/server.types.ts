import { type Duplex, PassThrough, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  type Address,
  type Client,
  type ClientOptions,
  type Connection,
  type ConnectOptions,
  connect,
  createClient,
  createServer,
  FrameDecoder,
  FrameEncoder,
  type ListenOptions,
  type Payload,
  type PeerCredentials,
  type RequestContext,
  request,
  type Server,
  type ServerOptions,
  type WrapOptions,
  wrap,
} from 'framewire'
import { expectTypeOf } from 'vitest'

interface Task {
  readonly name: string
}

/** Compiled by types.test.ts, never run: what `serialization` makes of payloads. */
export async function servers(): Promise<void> {
  const plain = createServer({}, (connection) => {
    connection.on('frame', (payload) => expectTypeOf(payload).toEqualTypeOf<Buffer>())
  })
  expectTypeOf(plain).toEqualTypeOf<Server<Buffer, Payload>>()

  createServer({
    onRequest: (payload, ctx) => {
      expectTypeOf(payload).toEqualTypeOf<Buffer>()
      expectTypeOf(ctx).toEqualTypeOf<RequestContext>()
      expectTypeOf(ctx.peer).toEqualTypeOf<PeerCredentials | null>()
      expectTypeOf(ctx.signal).toEqualTypeOf<AbortSignal>()
      return payload.length > 0 ? 'text' : undefined
    },
  })
  createServer({ onRequest: () => {} })
  createServer({ onRequest: async (payload) => payload })
  createServer({ serialization: 'text', onRequest: (text) => text.toUpperCase() })
  createServer({ serialization: 'json', onRequest: (task: Task) => ({ done: task.name }) })
  createServer({ serialization: 'json', onRequest: (value) => expectTypeOf(value).toEqualTypeOf<unknown>() })
  createServer({
    serialization: {
      encode: (date: Date) => date.toISOString(),
      decode: (payload) => new Date(String(payload)),
    },
    onRequest: (date) => {
      expectTypeOf(date).toEqualTypeOf<Date>()
      return date
    },
  })
  // @ts-expect-error: a number is no reply.
  createServer({ onRequest: () => 5 })
  // @ts-expect-error: there is no such exchange.
  createServer({ exchange: 'twice' })
  // @ts-expect-error: mode goes with a path.
  await plain.listen({ port: 1, mode: 0o600 })
}

/** Where a server listens is what it was asked for; what a descriptor is, the system tells. */
export async function listening(server: Server, where: ListenOptions, word: string | number): Promise<void> {
  interface Tcp {
    readonly host: string
    readonly port: number
    readonly family: 'IPv4' | 'IPv6'
  }
  const { signal } = new AbortController()
  expectTypeOf(await server.listen('app.sock')).toEqualTypeOf<{ readonly path: string }>()
  expectTypeOf(
    await server.listen({ path: 'app.sock', mode: 0o660, owner: { gid: 1 }, signal }),
  ).toEqualTypeOf<{
    readonly path: string
  }>()
  expectTypeOf(await server.listen(0)).toEqualTypeOf<Tcp>()
  const { port } = await server.listen({ port: 0, host: '127.0.0.1', backlog: 5 })
  expectTypeOf(port).toEqualTypeOf<number>()
  expectTypeOf(await server.listen({ port: 0 })).toEqualTypeOf<Tcp>()
  expectTypeOf(await server.listen({ fd: 3 })).toEqualTypeOf<Address>()
  expectTypeOf(await server.listen(where)).toEqualTypeOf<Address>()
  expectTypeOf(await server.listen(word)).toEqualTypeOf<Address>()
  expectTypeOf(server.address()).toEqualTypeOf<Address | null>()
  // @ts-expect-error: either a path or a port.
  await server.listen({ path: 'app.sock', port: 1 })
  // @ts-expect-error: nowhere to listen.
  await server.listen({ backlog: 5 })
  // @ts-expect-error: host goes with a port.
  await server.listen({ path: 'app.sock', host: '::1' })
}

export async function clients(): Promise<void> {
  const path = '/tmp/s'
  expectTypeOf(await connect({ path })).toEqualTypeOf<Connection<Buffer, Payload>>()
  expectTypeOf(await connect({ path, serialization: 'text' })).toEqualTypeOf<Connection<string, Payload>>()
  expectTypeOf(await connect<Task>({ path, serialization: 'json' })).toEqualTypeOf<
    Connection<Task, unknown>
  >()
  expectTypeOf(await request({ path }, 'x')).toEqualTypeOf<Buffer>()
  expectTypeOf(await request<Task>({ path, serialization: 'json' }, { any: 1 })).toEqualTypeOf<Task>()
  expectTypeOf(createClient({ port: 1 })).toEqualTypeOf<Client<Buffer, Payload>>()
  const client = createClient<Task, Task>({
    path,
    serialization: 'json',
    connections: 2,
    reconnect: { jitter: 0 },
  })
  expectTypeOf(client.request({ name: 'x' }, { timeout: 5 })).toEqualTypeOf<Promise<Task>>()
  client.on('disconnect', (error, info) => {
    expectTypeOf(error).toEqualTypeOf<Error>()
    expectTypeOf(info.connectionId).toEqualTypeOf<number>()
  })
  const wide: Connection<Buffer, Payload> = await connect({ path })
  wide.send(new Float32Array(1))
  wide.send(new DataView(new ArrayBuffer(1)))
  wide.end(new ArrayBuffer(1))
  await wide.sendAsync(new SharedArrayBuffer(1))
  await request({ path }, new Uint16Array(1))
  client.send({ name: 'x' })
  // @ts-expect-error: a number is no payload.
  wide.send(5)
  // @ts-expect-error: either a path or a port.
  await connect({ path, port: 1 })
  // @ts-expect-error: nowhere to connect to.
  await connect({})
}

export function wrapped(stream: Duplex): void {
  expectTypeOf(wrap(stream)).toEqualTypeOf<Connection<Buffer, Payload>>()
  expectTypeOf(wrap(stream, { format: 'n' })).toEqualTypeOf<Connection<Buffer, Payload>>()
  expectTypeOf(wrap(stream, { serialization: 'text' })).toEqualTypeOf<Connection<string, Payload>>()
  expectTypeOf(wrap<Task>(stream, { serialization: 'json' })).toEqualTypeOf<Connection<Task, unknown>>()
  wrap(stream, { serialization: 'json' }).send({ name: 'x' })
}

/** Options that were put together elsewhere: what their payloads are is not known. */
export async function givenOptions(
  stream: Duplex,
  server: ServerOptions,
  client: ClientOptions,
  to: ConnectOptions,
  over: WrapOptions,
): Promise<void> {
  expectTypeOf(createServer(server)).toEqualTypeOf<Server<Buffer, Payload>>()
  createServer(server, (connection) => connection.send(new DataView(new ArrayBuffer(1))))
  expectTypeOf(createClient(client)).toEqualTypeOf<Client<unknown, unknown>>()
  expectTypeOf(await connect(to)).toEqualTypeOf<Connection<unknown, unknown>>()
  expectTypeOf(await connect<Buffer, Payload>(to)).toEqualTypeOf<Connection<Buffer, Payload>>()
  expectTypeOf(await request(to, 'x')).toEqualTypeOf<unknown>()
  expectTypeOf(wrap(stream, over)).toEqualTypeOf<Connection<unknown, unknown>>()
}

/** Decoders and encoders are Node streams and web transforms. */
export async function streams(bytes: Readable, web: ReadableStream<Uint8Array>): Promise<void> {
  expectTypeOf(bytes.pipe(new FrameDecoder())).toEqualTypeOf<FrameDecoder>()
  bytes
    .pipe(new FrameEncoder())
    .pipe(new FrameDecoder())
    .on('data', () => {})
  await pipeline(bytes, new FrameDecoder(), async (payloads: AsyncIterable<Buffer>) => {
    for await (const payload of payloads) expectTypeOf(payload).toEqualTypeOf<Buffer>()
  })
  await pipeline(bytes, new FrameEncoder(), new FrameDecoder(), new PassThrough())
  expectTypeOf(web.pipeThrough(new FrameDecoder())).toExtend<ReadableStream<Buffer>>()
  expectTypeOf(new FrameDecoder().push(Buffer.alloc(0))).toEqualTypeOf<Buffer[]>()
  new FrameDecoder().end()
}
