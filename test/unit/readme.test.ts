/** The README's programs are run as they stand there, with their socket moved into a temporary folder. */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const run = promisify(execFile)
const children: ChildProcess[] = []
let folder: string
let readme: string

beforeAll(async () => {
  readme = await readFile(join(root, 'README.md'), 'utf8')
  folder = await mkdtemp(join(tmpdir(), 'framewire-readme-'))
  await mkdir(join(folder, 'node_modules'))
  await symlink(root, join(folder, 'node_modules/framewire'), 'dir')
  for (const match of readme.matchAll(/```(?:js|php)\n((?:\/\/|<\?php \/\/) \S+\n[\s\S]*?)```/g)) {
    const [name, code] = named(match)
    await writeFile(join(folder, name), code.replaceAll('/run/app.sock', join(folder, 'app.sock')))
  }
})

/** A program's file name, which is its first comment, and its text. */
function named(match: RegExpMatchArray): [string, string] {
  return [/\/\/ (\S+)/.exec(match[1])?.[1] ?? '', match[1]]
}

afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null)
      await new Promise((done) => child.once('exit', done))
  }
  await rm(join(folder, 'app.sock'), { force: true })
})
afterAll(() => rm(folder, { recursive: true }))

/** Starts one of the servers and waits until its `listen` has settled: others can connect a moment before. */
async function serve(name: string): Promise<ChildProcess> {
  const module = JSON.stringify(pathToFileURL(join(folder, name)))
  const program = `import(${module}).then(() => process.send('up', () => process.disconnect()))`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  children.push(child)
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    said += text
  })
  await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`${name} ended with ${code}: ${said}`)
    }),
  ])
  return child
}

/** What a line of code says it prints. */
const promised = (name: string, code: string) => / \/\/ (.*)\n/.exec(code.slice(code.lastIndexOf(name)))?.[1]

describe('the README', () => {
  it('has a server and a client that understand each other', async () => {
    await serve('server.mjs')
    const { stdout } = await run(process.execPath, [join(folder, 'client.mjs')], { timeout: 10_000 })
    expect(stdout).toBe('6 unknown task dance\n')
    expect(promised('console.log', readme)).toBe(stdout.trim())
  })

  it('has a server that ends by itself on SIGTERM and takes its socket along', async () => {
    const child = await serve('server.mjs')
    const exited = new Promise((done) => child.once('exit', (code) => done(code)))
    child.kill('SIGTERM')
    expect(await exited).toBe(0)
    expect(existsSync(join(folder, 'app.sock'))).toBe(false)
  })

  const hasPhp = spawnSync('php', ['--version']).status === 0
  it.runIf(hasPhp)('has a PHP page that gets its answer', async () => {
    await serve('resident.mjs')
    const { stdout } = await run('php', [join(folder, 'ask.php')], { timeout: 10_000 })
    expect(stdout).toBe('{"res":"ok","msg":"长度相同","bytes":23}\n')
    expect(promised('stream_get_contents', readme)).toBe(stdout.trim())
  })

  it('names files that are there', () => {
    for (const [, link] of readme.matchAll(/\]\(((?!https?:)[^)#]+)[^)]*\)/g)) {
      expect(existsSync(join(root, link)), link).toBe(true)
    }
  })
})
