/**
 * The code in docs/ runs. A block of JavaScript is a program of its own, unless its first line names a file: then all named
 * blocks of that page lie in one folder, server.mjs is started, and the clients run against it one after the other.
 * Comments behind `console.log` that promise its output are held to it.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, watch } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { file, Process, temporaryFolder } from '../cli/harness.js'
import { needs } from '../interop/backends.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PAGES = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'))

interface Block {
  readonly language: string
  readonly line: number
  readonly name: string | undefined
  readonly code: string
}

function blocksOf(page: string): Block[] {
  const text = readFileSync(join(ROOT, 'docs', page), 'utf8')
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map((match) => {
    const [, language, code] = match
    const name = /^(?:<\?php )?(?:\/\/|#|%%) ([\w-]+\.\w+)$/m.exec(code.split('\n', 2).join('\n'))?.[1]
    return { language, code, name, line: text.slice(0, match.index).split('\n').length }
  })
}

function programFolder(): string {
  const folder = temporaryFolder()
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(ROOT, join(folder, 'node_modules/framewire'))
  return folder
}

/** What the comments behind `console.log(…)` promise, in order. */
function promised(code: string): string[] {
  return [...code.matchAll(/console\.log\(.*\) \/\/ (.+)$/gm)].map(([, output]) => output)
}

const RUNNERS: Readonly<Record<string, readonly [program: string, ...args: string[]]>> = {
  mjs: [process.execPath],
  php: ['php'],
  py: ['python3'],
  escript: ['escript'],
  go: ['go', 'run'],
}

function start(folder: string, name: string): Process {
  const [program, ...args] = RUNNERS[name.split('.')[1]]
  if (program !== process.execPath) needs(program, 'see .ci/packages')
  const env = { ...process.env, GO111MODULE: 'off', GOCACHE: join(folder, 'cache') }
  return new Process(program, [...args, name], { cwd: folder, env })
}

/** Resolves when a file of that name is there. */
function appears(folder: string, name: string): Promise<void> {
  return new Promise((resolve) => {
    const watcher = watch(folder, () => look())
    const look = () => {
      if (!existsSync(join(folder, name))) return
      watcher.close()
      resolve()
    }
    look()
  })
}

describe.each(PAGES)('docs/%s', (page) => {
  const blocks = blocksOf(page)
  const alone = blocks.filter(({ language, name }) => language === 'js' && name === undefined)
  const named = blocks.filter(({ name }) => name !== undefined)

  test.each(alone.map((block) => [block.line, block] as const))(
    'the program at line %i runs',
    async (_, { code }) => {
      const folder = programFolder()
      file(folder, 'program.mjs', code)
      const { code: exit, stdout, stderr } = await start(folder, 'program.mjs').done
      expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' })
      for (const line of promised(code))
        for (const part of line.split(', ')) expect(stdout).toContain(part.replace(/: .*/, ''))
    },
  )

  const clients = named.filter(({ name }) => !/^(server|handler)\./.test(name!))
  const server = named.find(({ name }) => name === 'server.mjs')
  if (server !== undefined) {
    test.each(clients.map(({ name, line, code }) => [name!, line, code] as const))(
      '%s at line %i talks to its server',
      async (name, _, code) => {
        const folder = programFolder()
        for (const block of named) file(folder, block.name!, block.code)
        const serving = start(folder, 'server.mjs')
        await appears(folder, 'app.sock')
        const { code: exit, stdout, stderr } = await start(folder, name).done
        expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' })
        for (const line of promised(code)) expect(stdout).toContain(line)
        expect(stdout).not.toBe('')
        serving.child.kill('SIGTERM')
        expect(await serving.done).toMatchObject({ code: 0, stderr: '' })
      },
      60_000,
    )
  }

  test('links lead somewhere', () => {
    const text = readFileSync(join(ROOT, 'docs', page), 'utf8')
    for (const [, target] of text.matchAll(/\]\((?!https?:)([^)]+)\)/g)) {
      const [path, anchor] = target.split('#')
      const other = path === '' ? page : path
      expect([target, existsSync(join(ROOT, 'docs', other))]).toEqual([target, true])
      if (anchor === undefined) continue
      const headings = [...readFileSync(join(ROOT, 'docs', other), 'utf8').matchAll(/^#+ (.+)$/gm)]
      expect(headings.map(([, heading]) => slug(heading))).toContain(anchor)
    }
  })
})

/** As GitHub makes anchors of headings. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}
