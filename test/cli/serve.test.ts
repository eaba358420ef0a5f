// `framewire serve` in one process.
import { once } from 'node:events'
import { existsSync, lstatSync, realpathSync } from 'node:fs'
import { connect as netConnect } from 'node:net'
import { join } from 'node:path'
import { encodeFrame, request } from 'framewire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { SharedSocket } from '../../dist/esm/cli/serve/shared-socket.js'
import { echoHandler, file, framewire, MAIN, Process, run, temporaryFolder } from './harness.js'

async function served(handler: (folder: string) => string, flags: readonly string[] = []) {
  const folder = temporaryFolder()
  const path = join(folder, 's')
  const process = framewire(['serve', handler(folder), '--path', path, ...flags])
  await process.seen(/listening/)
  return { process, folder, path }
}

const text = async (path: string, payload: string) => String(await request({ path }, payload))

describe('framewire serve', () => {
  test.each(['SIGTERM', 'SIGHUP'] as const)(
    'answers requests, and on %s ends with 0 and takes its socket away',
    async (signal) => {
      const { process, path } = await served(echoHandler, ['--mode', '0640'])
      expect(lstatSync(path).mode & 0o777).toBe(0o640)
      expect(await text(path, 'hello')).toBe(`${process.pid} hello`)
      process.child.kill(signal)
      expect(await process.done).toMatchObject({ code: 0, stdout: '' })
      expect(existsSync(path)).toBe(false)
    },
  )

  test('lets the request in hand finish before it ends, and tells the handler', async () => {
    const slow = (folder: string) =>
      file(
        folder,
        'slow.mjs',
        `process.stdin.once('data', () => release())
         let release
         const released = new Promise((resolve) => { release = resolve })
         export default async () => { console.log('in hand'); await released; return 'done' }
         export const close = () => console.log('cleaned up')`,
      )
    const { process, path } = await served(slow)
    const reply = text(path, 'x')
    await process.seen(/in hand/)
    process.child.kill('SIGTERM')
    await process.seen(/finishing what is in hand/)
    process.child.stdin?.write('go\n')
    expect(await reply).toBe('done')
    expect(await process.done).toMatchObject({ code: 0, stdout: expect.stringContaining('cleaned up') })
  })

  test('the second signal ends it at once, whatever is in hand', async () => {
    const stuck = (folder: string) =>
      file(folder, 'h.mjs', `export default () => { console.log('in hand'); return new Promise(() => {}) }`)
    const { process, path } = await served(stuck, ['--drain-timeout', '1h'])
    const reply = text(path, 'x').catch((error) => error.code)
    await process.seen(/in hand/)
    process.child.kill('SIGTERM')
    await process.seen(/finishing what is in hand/)
    process.child.kill('SIGTERM')
    expect(await process.done).toMatchObject({ code: 1 })
    expect(await reply).toBe('ERR_FRAME_CONNECTION_LOST')
  })

  test('--exchange once answers one frame and closes, and refuses what is late with the documented JSON', async () => {
    const { path } = await served(echoHandler, ['--exchange', 'once', '--header-timeout', '200ms'])
    expect(await text(path, 'hello')).toMatch(/ hello$/)
    const silent = netConnect(path)
    const chunks: Buffer[] = []
    silent.on('data', (chunk) => chunks.push(chunk))
    await once(silent, 'close')
    expect(Buffer.concat(chunks)).toEqual(Buffer.from(encodeFrame('{"res":"fail","msg":"长度有误"}')))
  })

  test('limits and format are flags, and the handler module may set options as well', async () => {
    const handler = (folder: string) =>
      file(
        folder,
        'h.mjs',
        `export const options = { serialization: 'json', maxFrameLength: 10 }
        export const onRequest = ({ n }) => ({ n: n + 1 })`,
      )
    const { path } = await served(handler, ['--format', 'varint', '--max-frame-length', '64'])
    const to = { path, format: 'varint', serialization: 'json' } as const
    expect(await request(to, { n: 1, padding: 'longer than ten' })).toEqual({ n: 2 })
    await expect(request(to, { padding: 'x'.repeat(80) })).rejects.toMatchObject({
      code: 'ERR_FRAME_CONNECTION_LOST',
    })
  })

  test('a handler that fails is told on stderr with its stack, and the server goes on', async () => {
    const handler = (folder: string) =>
      file(
        folder,
        'h.mjs',
        `export default (p) => { if (String(p) === 'bad') throw new Error('no such luck'); return p }`,
      )
    const { process, path } = await served(handler)
    await expect(request({ path }, 'bad')).rejects.toMatchObject({ code: 'ERR_FRAME_CONNECTION_LOST' })
    await process.seen(/no such luck\n +at .*h\.mjs/)
    expect(await text(path, 'good')).toBe('good')
  })

  test('--json tells what happens in lines of JSON on stdout', async () => {
    const { process } = await served(echoHandler, ['--json'])
    process.child.kill('SIGINT')
    const { stdout, stderr, code } = await process.done
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).event)
    expect({ code, stderr, events }).toEqual({
      code: 0,
      stderr: '',
      events: ['listening', 'draining', 'stopped'],
    })
  })

  test('--status gives live counters to whoever sends a frame, and only to the owner', async () => {
    const folder = temporaryFolder()
    const [path, status] = [join(folder, 's'), join(folder, 'status')]
    const process = framewire(['serve', echoHandler(folder), '--path', path, '--status', status])
    await process.seen(/listening/)
    expect(lstatSync(status).mode & 0o777).toBe(0o600)
    await text(path, 'one')
    await text(path, 'two')
    const { stdout, code } = await run(['send', '--path', status, ''])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      pid: process.pid,
      address: { path },
      restarts: 0,
      total: { requests: 2, accepted: 2 },
      processes: [{ pid: process.pid, requests: 2, rss: expect.any(Number) }],
    })
    process.child.kill('SIGTERM')
    await process.done
    expect(existsSync(status)).toBe(false)
  })

  test.each([1, 2])('a socket that a service manager hands over is served, by %i', async (workers) => {
    const folder = temporaryFolder()
    // As systemd does it: the descriptor is 3, and LISTEN_PID is the process that is started. This process binds and
    // leaves accepting to the other one, as the service manager does.
    const socket = await SharedSocket.bind({ port: 0, host: '127.0.0.1' }, undefined)
    onTestFinished(() => socket.close())
    const command = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"'
    const args = [
      '-c',
      command,
      process.execPath,
      MAIN,
      'serve',
      echoHandler(folder),
      '--workers',
      String(workers),
    ]
    const started = new Process('/bin/sh', args, { stdio: ['pipe', 'pipe', 'pipe', socket.fd] })
    await started.seen(/listening on descriptor 3/)
    const { port } = socket.address as { port: number }
    expect(String(await request({ port, host: '127.0.0.1' }, 'hi'))).toMatch(/^\d+ hi$/)
    started.child.kill('SIGTERM')
    expect(await started.done).toMatchObject({ code: 0 })
  })

  test('is refused where a live server is, and where something else is', async () => {
    const { path, folder } = await served(echoHandler)
    const second = await run(['serve', join(folder, 'handler.mjs'), '--path', path])
    expect(second).toMatchObject({ code: 3, stderr: expect.stringContaining('EADDRINUSE') })
    const plain = file(folder, 'plain', 'text')
    const third = await run(['serve', join(folder, 'handler.mjs'), '--path', plain, '--workers', '2'])
    expect(third).toMatchObject({ code: 3, stderr: expect.stringContaining('not a socket') })
  })

  test.each([1, 2])('a handler that cannot be loaded is one error, with %i workers', async (workers) => {
    const folder = temporaryFolder()
    const flags = ['--path', join(folder, 's'), '--workers', String(workers)]
    const throws = await run(['serve', file(folder, 'a.mjs', `throw new Error('broken module')`), ...flags])
    expect(throws).toMatchObject({ code: 1, stderr: expect.stringContaining('broken module') })
    expect(throws.stderr.match(/broken module/g)).toHaveLength(1)
    const empty = await run(['serve', file(folder, 'b.mjs', 'export const a = 1'), ...flags])
    expect(empty).toMatchObject({ code: 2, stderr: expect.stringContaining('exports no handler') })
    expect(existsSync(join(folder, 's'))).toBe(false)
  })

  test.each([1, 2])(
    'a mistake in a handler’s syntax is told with its place, with %i workers',
    async (workers) => {
      const folder = temporaryFolder()
      const flags = ['--path', join(folder, 's'), '--workers', String(workers)]
      const told = async (name: string, text: string) => {
        const { code, stderr } = await run(['serve', file(folder, name, text), ...flags])
        return [code, stderr.split('\n')[0]]
      }
      const place = (name: string) => `framewire: ${join(realpathSync(folder), name)}`
      expect(await told('a.mjs', 'const a = 1\nnot JavaScript\n')).toEqual([
        1,
        `${place('a.mjs')}:2: Unexpected identifier 'JavaScript'`,
      ])
      expect(await told('b.cjs', '\n\nmodule.exports = ;\n')).toEqual([
        1,
        `${place('b.cjs')}:3: Unexpected token ';'`,
      ])
      expect((await told('c.mjs', `import './a.mjs'`))[1]).toMatch(/c\.mjs, or what it imports: Unexpected/)
      expect(await told('d.mjs', `JSON.parse('{')`)).toEqual([1, expect.not.stringContaining('imports')])
    },
  )
})
