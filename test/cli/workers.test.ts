// `framewire serve --workers`: processes that die and are replaced while clients count their replies.
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { backendInfo, createClient, request } from 'framewire'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { boundNames, netFillsNames } from '../contract/suite/abstract-names.js'
import { echoHandler, file, framewire, MAIN, type Process, run, temporaryFolder } from './harness.js'

async function workers(count: number, flags: readonly string[] = [], handler = echoHandler) {
  const folder = temporaryFolder()
  const path = join(folder, 's')
  const status = join(folder, 'status')
  const process = framewire([
    'serve',
    handler(folder),
    '--path',
    path,
    '--workers',
    String(count),
    '--status',
    status,
    ...flags,
  ])
  await process.seen(/listening/)
  return { process, path, folder, status }
}

interface Status {
  readonly restarts: number
  readonly total: { readonly requests: number }
  readonly processes: readonly { readonly pid: number }[]
}

const statusOf = async (path: string): Promise<Status> => JSON.parse(String(await request({ path }, '')))
const pidsOf = async (path: string) => (await statusOf(path)).processes.map(({ pid }) => pid)

function clientOf(path: string, connections: number) {
  const client = createClient({
    path,
    connections,
    reconnect: { initial: 5, max: 50 },
    serialization: 'text',
  })
  onTestFinished(async () => void (await client.close()))
  return client
}

async function terminate(process: Process): Promise<void> {
  process.child.kill('SIGTERM')
  expect(await process.done).toMatchObject({ code: 0 })
}

/** A zombie that nobody has buried has ended. */
function alive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch (error) {
    expect(['ENOENT', 'ESRCH']).toContain((error as NodeJS.ErrnoException).code)
    return false
  }
}

describe('framewire serve --workers', () => {
  test('several processes answer on one socket, and end with the supervisor', async () => {
    const { process, path, status } = await workers(3)
    const pids = await pidsOf(status)
    expect(new Set(pids).size).toBe(3)
    const answered = new Set<number>()
    // Which worker takes a connection is the kernel's choice; all of them do in the end.
    for (let i = 0; answered.size < 3 && i < 5000; i += 50) {
      const replies = await Promise.all(Array.from({ length: 50 }, () => request({ path }, 'x')))
      for (const reply of replies) answered.add(Number.parseInt(String(reply), 10))
    }
    expect([...answered].sort()).toEqual([...pids].sort())
    await terminate(process)
    expect(existsSync(path)).toBe(false)
    expect(pids.filter(alive)).toEqual([])
  })

  test('TCP is shared as well, and its port reported', async () => {
    const folder = temporaryFolder()
    const process = framewire([
      'serve',
      echoHandler(folder),
      '--port',
      '0',
      '--host',
      '127.0.0.1',
      '--workers',
      '2',
    ])
    const [, port] = await process.seen(/listening on 127\.0\.0\.1:(\d+) with 2 workers/)
    expect(String(await request({ port: Number(port), host: '127.0.0.1' }, 'hi'))).toMatch(/^\d+ hi$/)
    const second = framewire([
      'serve',
      echoHandler(folder),
      '--port',
      port,
      '--host',
      '127.0.0.1',
      '--workers',
      '2',
    ])
    expect(await second.done).toMatchObject({ code: 3, stderr: expect.stringContaining('EADDRINUSE') })
    await terminate(process)
  })

  test.runIf(process.platform === 'linux')(
    'an abstract name is shared as well, the one that was given',
    async () => {
      const folder = temporaryFolder()
      const name = basename(folder)
      const process = framewire(['serve', echoHandler(folder), '--path', `@${name}`, '--workers', '2'])
      if (backendInfo().backend === 'js' && (await netFillsNames())) {
        const stderr = expect.stringContaining('ERR_FRAME_BACKEND_UNSUPPORTED')
        expect(await process.done).toMatchObject({ code: 3, stderr })
        return
      }
      await process.seen(/listening on @\S+ with 2 workers/)
      expect(boundNames()).toContain(`@${name}`)
      expect(String(await request({ path: `\0${name}` }, 'hi'))).toMatch(/^\d+ hi$/)
      const second = framewire(['serve', echoHandler(folder), '--path', `@${name}`, '--workers', '2'])
      expect(await second.done).toMatchObject({ code: 3, stderr: expect.stringContaining('EADDRINUSE') })
      await terminate(process)
      expect(boundNames()).not.toContain(`@${name}`)
      const nobody = await run(['send', '--path', `@${name}`, 'x'])
      expect(nobody).toMatchObject({ code: 3, stderr: expect.stringContaining(` @${name}`) })
    },
  )

  test.each([1, 2])('while %i workers drain, who comes is refused and not left waiting', async (count) => {
    const folder = temporaryFolder()
    const gate = join(folder, 'gate')
    const handler = file(
      folder,
      'h.mjs',
      `import { existsSync } from 'node:fs'
      import { setTimeout } from 'node:timers/promises'
      export default async (p) => {
        if (String(p) === 'slow') {
          console.log('in hand')
          while (!existsSync(${JSON.stringify(gate)})) await setTimeout(10)
        }
        return 'answered'
      }`,
    )
    const flags = ['--port', '0', '--host', '127.0.0.1', '--workers', String(count), '--drain-timeout', '20s']
    const process = framewire(['serve', handler, ...flags])
    const [, port] = await process.seen(/listening on 127\.0\.0\.1:(\d+)/)
    const target = { port: Number(port), host: '127.0.0.1' }
    const slow = request(target, 'slow')
    await process.seen(/in hand/)
    process.child.kill('SIGTERM')
    await process.seen(/SIGTERM/)
    // Who comes a moment before the workers have heard of it is answered, or cut off.
    let code: string | undefined
    while (code !== 'ECONNREFUSED') {
      code = await request(target, 'x', { timeout: 5000 }).then(
        () => 'answered',
        (error: NodeJS.ErrnoException) => error.code,
      )
      expect(['answered', 'ERR_FRAME_CONNECTION_LOST', 'ECONNRESET', 'ECONNREFUSED']).toContain(code)
    }
    expect(process.child.exitCode).toBe(null)
    file(folder, 'gate', '')
    expect(String(await slow)).toBe('answered')
    expect(await process.done).toMatchObject({ code: 0 })
  })

  test.each([1, 2])(
    'a descriptor that is no socket is refused before anything is started: %i',
    async (count) => {
      const folder = temporaryFolder()
      const args = (fd: number) => [
        'serve',
        echoHandler(folder),
        '--fd',
        String(fd),
        '--workers',
        String(count),
      ]
      expect(await run(args(99))).toMatchObject({ code: 3, stderr: expect.stringContaining('listen EBADF') })
      const stdin = openSync(MAIN, 'r')
      onTestFinished(() => closeSync(stdin))
      const notOne = await run(args(0), '', { stdio: [stdin, 'pipe', 'pipe'] })
      expect(notOne).toMatchObject({ code: 3, stderr: expect.stringContaining('listen ENOTSOCK') })
    },
  )

  test('the longest time for draining that a timer takes kills nobody', async () => {
    const { process, path } = await workers(2, ['--drain-timeout', `${2 ** 31 - 1}`])
    expect(String(await request({ path }, 'x'))).toMatch(/x$/)
    await terminate(process)
    expect(process.stderr).not.toMatch(/SIGKILL|Warning/)
  })

  test('kill -9 of workers loses no reply but those in the killed worker, and those are reported', async () => {
    const { process, path, status } = await workers(2)
    const connections = 4
    const client = clientOf(path, connections)
    const kills = 6
    const outcome = { replied: 0, neverWritten: 0, unknown: 0 }
    let sent = 0
    let stopped = false
    async function lane(): Promise<void> {
      while (!stopped) {
        const payload = `request ${sent++}`
        try {
          const reply = await client.request(payload)
          expect(reply.endsWith(` ${payload}`)).toBe(true)
          outcome.replied++
        } catch (error) {
          const { code, neverWritten } = error as { code: string; neverWritten: boolean }
          expect(code).toBe('ERR_FRAME_CONNECTION_LOST')
          outcome[neverWritten ? 'neverWritten' : 'unknown']++
        }
      }
    }
    const outstanding = 32
    const lanes = Array.from({ length: outstanding }, lane)
    for (let i = 0; i < kills; i++) {
      const pids = await pidsOf(status)
      const before = outcome.replied
      globalThis.process.kill(pids[i % pids.length], 'SIGKILL')
      await process.seen(/worker \d+ died \(SIGKILL\)/, i + 1)
      await process.seen(/worker \d+ serves/, 2 + i + 1)
      // Served on meanwhile, and still.
      while (outcome.replied < before + 200) await client.request('are you there').catch(() => undefined)
    }
    stopped = true
    await Promise.all(lanes)
    // Each request settled once; a kill can only take what was on its way to that worker. The kernel closes its
    // connections one after the other, so that a new request may still go to the next of them.
    expect(outcome.replied + outcome.neverWritten + outcome.unknown).toBe(sent)
    expect(outcome.unknown).toBeLessThanOrEqual(kills * outstanding * connections)
    expect((await statusOf(status)).restarts).toBe(kills)
    await client.close()
    await terminate(process)
  }, 60_000)

  test('while all workers are dead clients wait, and are not refused', async () => {
    const { process, path, status } = await workers(2)
    for (const pid of await pidsOf(status)) globalThis.process.kill(pid, 'SIGKILL')
    await process.seen(/died/, 2)
    expect(String(await request({ path }, 'patience'))).toMatch(/patience$/)
    await terminate(process)
  })

  test('SIGHUP replaces the workers one by one, with new code, and no connection is refused', async () => {
    const { process, path, status, folder } = await workers(2)
    const before = await pidsOf(status)
    let stopped = false
    let requests = 0
    const failures: unknown[] = []
    async function lane(): Promise<void> {
      while (!stopped) {
        await request({ path }, 'x').catch((error) => failures.push(error))
        requests++
      }
    }
    const lanes = [lane(), lane(), lane(), lane()]
    file(folder, 'handler.mjs', `export default () => 'new code'`)
    process.child.kill('SIGHUP')
    await process.seen(/all workers were replaced/)
    stopped = true
    await Promise.all(lanes)
    expect(failures).toEqual([])
    expect(requests).toBeGreaterThan(10)
    const after = await pidsOf(status)
    expect(after.filter((pid) => before.includes(pid))).toEqual([])
    expect(after).toHaveLength(2)
    expect(before.filter(alive)).toEqual([])
    expect(String(await request({ path }, 'x'))).toBe('new code')
    await terminate(process)
  })

  test('new code that does not load leaves the old workers where they are', async () => {
    const { process, path, status, folder } = await workers(2)
    const before = await pidsOf(status)
    file(folder, 'handler.mjs', `export default () => {`)
    process.child.kill('SIGHUP')
    await process.seen(/did not start, the old ones stay/)
    expect(await pidsOf(status)).toEqual(before)
    expect(String(await request({ path }, 'x'))).toMatch(/x$/)
    await terminate(process)
  })

  test('a worker that dies again and again is started with growing delays', async () => {
    const dying = (folder: string) =>
      file(
        folder,
        'h.mjs',
        `import { existsSync, readFileSync } from 'node:fs'
        export default (p) => String(p) === 'die' ? process.exit(7) : p`,
      )
    const { process, path } = await workers(2, ['--json'], dying)
    for (let i = 1; i <= 4; i++) {
      await request({ path }, 'die').catch(() => undefined)
      await process.seen(/"worker-died".*"code":7/, i)
      await process.seen(/"worker-ready"/, 2 + i)
    }
    const delays = [...process.stdout.matchAll(/"delay":(\d+)/g)].map(([, delay]) => Number(delay))
    expect(delays).toHaveLength(4)
    // Each place doubles its own.
    expect(Math.max(...delays)).toBeGreaterThan(Math.min(...delays))
    await terminate(process)
  })

  test('workers end when their supervisor is killed', async () => {
    const { process, status } = await workers(2)
    const pids = await pidsOf(status)
    process.child.kill('SIGKILL')
    // The pipes close when the last process that has them is about to be gone.
    await process.done
    await vi.waitFor(() => expect(pids.filter(alive)).toEqual([]), 10_000)
  })
})
