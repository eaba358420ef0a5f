/** The addon missing, damaged, for another libc or forbidden: the package serves on its js backend and says why. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { copyFile, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const addon = 'build/Release/framewire.node'
const isNative = process.env.FRAMEWIRE_BACKEND !== 'js'
const nodeMajor = Number(process.versions.node.split('.')[0])

/** Serves one request and says which backend did, and why. */
const program = `
import { backendInfo, createServer, request } from 'framewire'
const path = process.argv[2]
const server = createServer({ exchange: 'once', onRequest: (payload) => 're: ' + payload })
await server.listen(path)
const reply = String(await request({ path }, 'hello'))
await server.close()
console.log(JSON.stringify({ ...backendInfo(), served: server.stats().backend, reply }))
`

/** The package as it is installed, without a binary, and a program beside it. */
async function installation(): Promise<{ folder: string; folderOfPackage: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'fw-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const folderOfPackage = join(folder, 'node_modules/framewire')
  await mkdir(folderOfPackage, { recursive: true })
  await cp(join(root, 'dist'), join(folderOfPackage, 'dist'), { recursive: true })
  await copyFile(join(root, 'package.json'), join(folderOfPackage, 'package.json'))
  for (const name of ['node-gyp-build', 'citty']) {
    await symlink(join(root, 'node_modules', name), join(folder, 'node_modules', name))
  }
  await writeFile(join(folder, 'main.mjs'), program)
  return { folder, folderOfPackage }
}

interface Answer {
  readonly backend: string
  readonly served: string
  readonly reason: string
  readonly binding: string | null
  readonly reply: string
}

async function run(
  folder: string,
  flags: string[] = [],
  env: Record<string, string> = {},
  program = 'main.mjs',
) {
  const { FRAMEWIRE_BACKEND: _, ...inherited } = process.env
  const child = spawn(process.execPath, [...flags, join(folder, program), join(folder, 's')], {
    env: { ...inherited, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  return { status, stderr, answer: (status === 0 ? JSON.parse(stdout) : undefined) as Answer }
}

const JS = { backend: 'js', served: 'js', binding: null, reply: 're: hello' }
const warningsOf = (stderr: string) => stderr.match(/\[FRAMEWIRE_BACKEND\]/g)?.length ?? 0

it('26. a missing binary is a quiet fallback with a reason', async () => {
  const { folder } = await installation()
  const { status, stderr, answer } = await run(folder)
  expect([status, stderr]).toEqual([0, ''])
  expect(answer).toMatchObject({ ...JS, reason: expect.stringMatching(/^no binary for /) })
})

it('26. a missing binary is an error with the way out where native is asked for', async () => {
  const { folder } = await installation()
  const { status, stderr } = await run(folder, [], { FRAMEWIRE_BACKEND: 'native' })
  expect(status).toBe(1)
  expect(stderr).toContain('ERR_FRAME_BACKEND_UNAVAILABLE')
  expect(stderr).toContain('npx framewire build-native')
})

it('26. a damaged binary is warned of once, and not used', async () => {
  const { folder, folderOfPackage } = await installation()
  await mkdir(join(folderOfPackage, 'build/Release'), { recursive: true })
  await writeFile(join(folderOfPackage, addon), 'this is no library')
  const { status, stderr, answer } = await run(folder)
  expect([status, warningsOf(stderr)]).toEqual([0, 1])
  expect(answer).toMatchObject({ ...JS, reason: expect.stringContaining('does not load') })
})

it.runIf(process.platform === 'linux' && existsSync(join(root, addon)))(
  '26. a binary that was cut short is one that is damaged, and does not end the process',
  async () => {
    const { folder, folderOfPackage } = await installation()
    await mkdir(join(folderOfPackage, 'build/Release'), { recursive: true })
    const whole = await readFile(join(root, addon))
    for (const size of [1000, whole.length >> 1, whole.length - 1]) {
      await writeFile(join(folderOfPackage, addon), whole.subarray(0, size))
      const { status, stderr, answer } = await run(folder)
      expect([status, warningsOf(stderr)]).toEqual([0, 1])
      expect(answer).toMatchObject({ ...JS, reason: expect.stringContaining('not whole') })
    }
  },
)

it('26. a binary for another libc is not looked at', async () => {
  const { folder, folderOfPackage } = await installation()
  const folderOfPlatform = join(folderOfPackage, `prebuilds/${process.platform}-${process.arch}`)
  await mkdir(folderOfPlatform, { recursive: true })
  await writeFile(join(folderOfPlatform, 'framewire.glibc.node'), 'this is no library')
  const { status, stderr, answer } = await run(folder, [], { LIBC: 'musl' })
  expect([status, stderr]).toEqual([0, ''])
  expect(answer).toMatchObject({ ...JS, reason: expect.stringContaining('libc=musl') })
})

it.runIf(isNative).each([
  ['--no-addons', ['--no-addons'], /disabled/],
  [
    'the permission model',
    [
      nodeMajor < 24 ? '--experimental-permission' : '--permission',
      '--allow-fs-read=*',
      '--allow-fs-write=*',
      ...(nodeMajor < 25 ? [] : ['--allow-net']),
    ],
    /disabled|permission/,
  ],
])('26. %s is a quiet fallback with a reason', async (_what, flags, reason) => {
  const { folder, folderOfPackage } = await installation()
  await mkdir(join(folderOfPackage, 'build/Release'), { recursive: true })
  await copyFile(join(root, addon), join(folderOfPackage, addon))
  const { status, stderr, answer } = await run(folder, flags)
  expect([status, warningsOf(stderr)]).toEqual([0, 0])
  expect(answer).toMatchObject({ ...JS, reason: expect.stringMatching(reason) })
})

it.runIf(isNative)('26. a binary that is there is used', async () => {
  const { folder, folderOfPackage } = await installation()
  await mkdir(join(folderOfPackage, 'build/Release'), { recursive: true })
  await copyFile(join(root, addon), join(folderOfPackage, addon))
  const { answer } = await run(folder)
  expect(answer).toMatchObject({ backend: 'native', served: 'native', binding: join(folderOfPackage, addon) })
})

it.runIf(isNative)(
  'a process that holds the package as ES modules and as CommonJS has two of it that work',
  async () => {
    const { folder, folderOfPackage } = await installation()
    await mkdir(join(folderOfPackage, 'build/Release'), { recursive: true })
    await copyFile(join(root, addon), join(folderOfPackage, addon))
    await writeFile(
      join(folder, 'both.cjs'),
      `
const { createServer, request } = require('framewire')
import('framewire').then(async (modules) => {
  const path = process.argv[2]
  const server = createServer({ onRequest: (payload) => 're: ' + payload })
  await server.listen(path)
  const other = modules.createServer({ onRequest: (payload) => modules.request({ path }, payload) })
  await other.listen(path + 2)
  const reply = String(await request({ path: path + 2 }, 'hello'))
  const served = [server.stats().backend, other.stats().backend].join()
  await other.close()
  await server.close()
  console.log(JSON.stringify({ served, reply }))
})
`,
    )
    const { status, stderr, answer } = await run(folder, [], {}, 'both.cjs')
    expect([status, stderr]).toEqual([0, ''])
    expect(answer).toEqual({ served: 'native,native', reply: 're: hello' })
  },
)
