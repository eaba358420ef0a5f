import {
  type Address,
  type Client,
  type Connection,
  connect,
  createClient,
  createServer,
  type PeerCredentials,
  type RequestContext,
  request,
  type Server,
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
  expectTypeOf(plain).toEqualTypeOf<Server<Buffer, Uint8Array | string>>()
  expectTypeOf(plain.listen).returns.toEqualTypeOf<Promise<Address>>()

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

export async function clients(): Promise<void> {
  const path = '/tmp/s'
  expectTypeOf(await connect({ path })).toEqualTypeOf<Connection<Buffer, Uint8Array | string>>()
  expectTypeOf(await connect({ path, serialization: 'text' })).toEqualTypeOf<
    Connection<string, Uint8Array | string>
  >()
  expectTypeOf(await connect<Task>({ path, serialization: 'json' })).toEqualTypeOf<
    Connection<Task, unknown>
  >()
  expectTypeOf(await request({ path }, 'x')).toEqualTypeOf<Buffer>()
  expectTypeOf(await request<Task>({ path, serialization: 'json' }, { any: 1 })).toEqualTypeOf<Task>()
  expectTypeOf(createClient({ port: 1 })).toEqualTypeOf<Client<Buffer, Uint8Array | string>>()
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
  // @ts-expect-error: either a path or a port.
  await connect({ path, port: 1 })
  // @ts-expect-error: nowhere to connect to.
  await connect({})
}
