/** The exchange as a Python program has it, with the socket and struct modules. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'framewire'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { backends, needs, run } from './backends.js'

const OK = '{"res":"ok","msg":"长度相同"}'
const HEADER = '{"res":"fail","msg":"长度有误"}'
const BODY = '{"res":"fail","msg":"长度不相等"}'

beforeAll(() => needs('python3', 'apt-get install python3'))

describe.each(backends)('a Python client of the %s backend', (backend) => {
  const serve = async (options: object = {}) => {
    const directory = await mkdtemp(join(tmpdir(), 'fw-'))
    const path = join(directory, 's')
    const server = createServer({ backend, exchange: 'once', ...options })
    await server.listen(path)
    onTestFinished(async () => {
      await server.close({ timeout: 0 })
      await rm(directory, { recursive: true, force: true })
    })
    return (what: string, payload: string | Buffer = '') => run('python3', 'client.py', [path, what], payload)
  }

  it.each([
    ['a frame', 'frame', 'hello', OK],
    ['a frame byte by byte', 'byte-by-byte', 'hello', OK],
    ['a frame and the end of its side', 'half-close', 'hello', OK],
    ['three bytes of a header', 'three-header-bytes', '', HEADER],
    ['a short body', 'short-body', 'hello', BODY],
  ])('that writes %s reads the answer, byte for byte, and the end', async (_what, what, payload, reply) => {
    const python = await serve()
    expect(await python(what, payload)).toEqual({ reply, status: 0 })
  })

  it('that is still writing when it is refused reads why', async () => {
    const python = await serve()
    const { reply, status } = await python('still-writing')
    expect(JSON.parse(reply)).toMatchObject({ res: 'fail', code: 'ERR_FRAME_TOO_LARGE' })
    expect(status).toBe(0)
  })

  it('gets an answer that took its time', async () => {
    const python = await serve({
      headerTimeout: 50,
      bodyTimeout: 50,
      onRequest: (payload: Buffer) =>
        new Promise((resolve) => setTimeout(() => resolve(`re: ${payload}`), 150)),
    })
    expect(await python('frame', '长度')).toEqual({ reply: 're: 长度', status: 0 })
  })
})
