/** The exchange as a PHP application has it, with stream_socket_client and pack('N'). */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'framewire'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { backends, needs, run } from './backends.js'

const OK = '{"res":"ok","msg":"长度相同"}'
const HEADER = '{"res":"fail","msg":"长度有误"}'
const BODY = '{"res":"fail","msg":"长度不相等"}'

beforeAll(() => needs('php', 'apt-get install php-cli'))

describe.each(backends)('a PHP client of the %s backend', (backend) => {
  const serve = async (options: object = {}) => {
    const directory = await mkdtemp(join(tmpdir(), 'fw-'))
    const path = join(directory, 's')
    const server = createServer({ backend, exchange: 'once', ...options })
    await server.listen(path)
    onTestFinished(async () => {
      await server.close({ timeout: 0 })
      await rm(directory, { recursive: true, force: true })
    })
    const php = (what: string, payload: string | Buffer = '') =>
      run('php', 'client.php', [`unix://${path}`, what], payload)
    return { server, php }
  }

  it.each([
    ['a frame', 'frame', 'hello', OK],
    ['an empty frame', 'frame', '', OK],
    ['a frame in pieces', 'in-pieces', 'hello', OK],
    ['three bytes of a header', 'three-header-bytes', '', HEADER],
    ['a short body', 'short-body', 'hello', BODY],
  ])('that writes %s reads the answer, byte for byte, and the end', async (_what, what, payload, reply) => {
    const { php } = await serve()
    expect(await php(what, payload)).toEqual({ reply, status: 0 })
  })

  it('that declares too much reads why', async () => {
    const { php } = await serve()
    const { reply, status } = await php('too-large', 'x'.repeat(100_000))
    expect(JSON.parse(reply)).toMatchObject({ res: 'fail', code: 'ERR_FRAME_TOO_LARGE' })
    expect(status).toBe(0)
  })

  it('gets back a megabyte of every byte', async () => {
    const { php } = await serve({ onRequest: (payload: Buffer) => payload.toString('base64') })
    const payload = Buffer.from(Array.from({ length: 1 << 20 }, (_, i) => i & 255))
    const { reply, status } = await php('frame', payload)
    expect(reply === payload.toString('base64')).toBe(true)
    expect(status).toBe(0)
  })

  it('that does not wait for the reply is served and no error', async () => {
    const seen: string[] = []
    const errors: unknown[] = []
    const { php, server } = await serve({ onRequest: (payload: Buffer) => void seen.push(String(payload)) })
    server.on('error', (error) => errors.push(error))
    expect(await php('no-reply-wanted', 'task')).toEqual({ reply: 'gone', status: 0 })
    await server.close()
    expect([seen, errors]).toEqual([['task'], []])
  })

  it('reaches it over TCP as well', async () => {
    const server = createServer({ backend, exchange: 'once', onRequest: (payload) => `re: ${payload}` })
    onTestFinished(() => server.close({ timeout: 0 }))
    const { port } = (await server.listen({ port: 0, host: '127.0.0.1' })) as { port: number }
    expect(await run('php', 'client.php', [`tcp://127.0.0.1:${port}`, 'frame'], 'hello')).toEqual({
      reply: 're: hello',
      status: 0,
    })
  })
})
