// `framewire send` against servers in this process.
import { join } from 'node:path'
import { createServer, type RequestHandler, type ServerOptions } from 'framewire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { LogHistogram } from '../../dist/esm/cli/send/histogram.js'
import { file, run, temporaryFolder } from './harness.js'

type Options = ServerOptions<Buffer, Uint8Array | string> & { serialization?: 'buffer' }

async function serverAt(
  path: string,
  onRequest: RequestHandler<Buffer, Uint8Array | string>,
  options: Options = {},
) {
  const server = createServer({ ...options, onRequest })
  await server.listen(path)
  onTestFinished(() => server.close({ timeout: 0 }))
  return server
}

const echo = (payload: Buffer) => payload

describe('framewire send', () => {
  test('prints the reply to one request', async () => {
    const path = join(temporaryFolder(), 's')
    await serverAt(path, (payload) => `got ${payload}`)
    expect(await run(['send', '--path', path, 'hello'])).toMatchObject({
      code: 0,
      stdout: 'got hello\n',
      stderr: '',
    })
  })

  test('talks TCP, in any format', async () => {
    const server = createServer({ format: 'varint', onRequest: echo })
    const { port } = (await server.listen({ port: 0, host: '127.0.0.1' })) as { port: number }
    onTestFinished(() => server.close({ timeout: 0 }))
    const args = ['send', '--port', String(port), '--host', '127.0.0.1', '--format', 'varint', 'hello']
    expect(await run(args)).toMatchObject({ code: 0, stdout: 'hello\n' })
  })

  test('sends stdin, a file and hex as they are, and prints raw bytes', async () => {
    const folder = temporaryFolder()
    const path = join(folder, 's')
    await serverAt(path, echo)
    const to = ['send', '--path', path]
    expect(await run(to, 'from stdin\n')).toMatchObject({ code: 0, stdout: 'from stdin\n\n' })
    const named = file(folder, 'payload', 'from a file')
    expect(await run([...to, '--file', named, '--print', 'raw'])).toMatchObject({ stdout: 'from a file' })
    expect(await run([...to, '--as', 'hex', '00ff 10', '--print', 'hex'])).toMatchObject({
      stdout: '00ff10\n',
    })
    expect(await run([...to, '--as', 'json', '{ "a" : 1 }'])).toMatchObject({ stdout: '{"a":1}\n' })
    const exact = '{"id":9007199254740993,"x":1.0,"a b":" \\" c"}'
    expect(await run([...to, '--as', 'json', exact.replaceAll(':', ' : ')])).toMatchObject({
      stdout: `${exact}\n`,
    })
    expect(await run([...to, '--as', 'json', '{'])).toMatchObject({ code: 2 })
  })

  test('an input that cannot be read is a wrong command line, and not a server that is not there', async () => {
    const folder = temporaryFolder()
    const path = join(folder, 's')
    await serverAt(path, echo)
    const missing = join(folder, 'missing')
    for (const more of [[], ['--lines'], ['--no-reply'], ['--repeat', '3'], ['--json']]) {
      const send = ['send', '--path', path, ...more, '--file']
      const none = await run([...send, missing])
      expect(none).toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringContaining(`${missing}: ENOENT`),
      })
      const directory = await run([...send, folder])
      expect(directory).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('EISDIR') })
    }
    expect(await run(['send', '--path', missing, 'hello'])).toMatchObject({ code: 3 })
  })

  test('--json prints the reply with its size and time, and bytes that are no text as base64', async () => {
    const path = join(temporaryFolder(), 's')
    await serverAt(path, echo)
    const text = await run(['send', '--path', path, '--json', 'hé'])
    expect(JSON.parse(text.stdout)).toEqual({ ok: true, bytes: 3, ms: expect.any(Number), reply: 'hé' })
    const bytes = await run(['send', '--path', path, '--json', '--as', 'hex', 'ff'])
    expect(JSON.parse(bytes.stdout)).toMatchObject({ base64: '/w==' })
  })

  test('--lines makes every line a request, answered in order', async () => {
    const path = join(temporaryFolder(), 's')
    await serverAt(path, (payload) => `${payload}!`)
    expect(await run(['send', '--path', path, '--lines'], 'a\n\nc\n')).toMatchObject({
      code: 0,
      stdout: 'a!\n!\nc!\n',
    })
  })

  test('--no-reply is done when the frame is written', async () => {
    const path = join(temporaryFolder(), 's')
    const arrived = new Promise<string>((resolve) => {
      void serverAt(path, (payload) => resolve(String(payload)))
    })
    expect(await run(['send', '--path', path, '--no-reply', 'note'])).toMatchObject({ code: 0, stdout: '' })
    expect(await arrived).toBe('note')
  })

  test('exits 3 when nobody is there, also as JSON', async () => {
    const path = join(temporaryFolder(), 'nobody')
    const plain = await run(['send', '--path', path, 'hello'])
    expect({ code: plain.code, stdout: plain.stdout }).toEqual({ code: 3, stdout: '' })
    expect(plain.stderr).toContain('ENOENT')
    const json = await run(['send', '--path', path, '--json', 'hello'])
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, code: 'ENOENT' })
    expect(await run(['send', '--path', path, '--repeat', '5', 'hello'])).toMatchObject({ code: 3 })
  })

  test('exits 4 when the reply does not come in time', async () => {
    const path = join(temporaryFolder(), 's')
    await serverAt(path, () => new Promise(() => undefined))
    const { code, stderr } = await run(['send', '--path', path, '--timeout', '100ms', 'hello'])
    expect(code).toBe(4)
    expect(stderr).toContain('ERR_FRAME_REQUEST_TIMEOUT')
  })

  test('exits 1 when the server hangs up without a reply', async () => {
    const path = join(temporaryFolder(), 's')
    await serverAt(path, (_, ctx) => void ctx.connection.destroy())
    const { code, stderr } = await run(['send', '--path', path, 'hello'])
    expect(code).toBe(1)
    expect(stderr).toContain('ERR_FRAME_CONNECTION_LOST')
  })

  test.each(['stream', 'once'] as const)('--repeat measures every request, %s', async (exchange) => {
    const path = join(temporaryFolder(), 's')
    const server = await serverAt(path, echo, { exchange })
    const args = [
      'send',
      '--path',
      path,
      '--repeat',
      '500',
      '--concurrency',
      '8',
      '--exchange',
      exchange,
      'hello',
    ]
    const json = await run([...args, '--json'])
    const result = JSON.parse(json.stdout)
    expect(json).toMatchObject({ code: 0, stderr: '' })
    expect(result).toMatchObject({ ok: true, replies: 500, replyBytes: 2500, failed: {}, neverWritten: 0 })
    expect(result.latencyMicros.p50).toBeLessThanOrEqual(result.latencyMicros.max)
    expect(server.stats().requests).toBe(500)
    const text = await run(args)
    expect(text.stdout).toMatch(/500 replies in .*p99.*█/s)
    expect(text.stdout).not.toContain('\x1b')
  })

  test('a load test counts what failed, and exits 1', async () => {
    const path = join(temporaryFolder(), 's')
    let count = 0
    await serverAt(path, (payload, ctx) => (++count % 10 === 0 ? void ctx.connection.destroy() : payload), {
      exchange: 'once',
    })
    const args = ['send', '--path', path, '--repeat', '100', '--exchange', 'once', '--json', 'hello']
    const { code, stdout } = await run(args)
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      replies: 90,
      failed: { ERR_FRAME_CONNECTION_LOST: 10 },
    })
  })
})

describe('the latency histogram', () => {
  test('every quantile is right to 1.6 %, from 0 to hours', () => {
    for (let value = 1; value < 1e10; value = Math.ceil(value * 1.37)) {
      const histogram = new LogHistogram()
      histogram.record(0)
      histogram.record(value)
      histogram.record(value * 4)
      expect(histogram.quantile(0.5)).toBeGreaterThanOrEqual(value)
      expect(histogram.quantile(0.5)).toBeLessThanOrEqual(value * 1.032)
      expect(histogram.quantile(1)).toBe(value * 4)
      expect(histogram.octaves().reduce((sum, { count }) => sum + count, 0)).toBe(3)
    }
  })

  test('octaves are powers of two that hold what lies in them', () => {
    const histogram = new LogHistogram()
    for (const value of [0, 1, 2, 3, 64, 127, 128, 1000]) histogram.record(value)
    const rows = histogram.octaves().filter(({ count }) => count > 0)
    expect(rows.map(({ to, count }) => [to, count])).toEqual([
      [1, 1],
      [2, 1],
      [4, 2],
      [128, 2],
      [256, 1],
      [1024, 1],
    ])
  })
})
