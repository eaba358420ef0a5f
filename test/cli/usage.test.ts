// What the command says of itself, and how it refuses what it does not understand.
import { join } from 'node:path'
import { createServer } from 'framewire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parseTime } from '../../dist/esm/cli/flags.js'
import { framewire, MAIN, Process, run, temporaryFolder } from './harness.js'

const COMMANDS = ['serve', 'send', 'tap', 'doctor', 'build-native']

describe('framewire', () => {
  test('without a command shows what there is, and exits 2', async () => {
    const { code, stdout } = await run([])
    expect(code).toBe(2)
    for (const name of COMMANDS) expect(stdout).toContain(name)
  })

  test.each(COMMANDS)('%s --help shows options and examples on stdout, and exits 0', async (name) => {
    const { code, stdout, stderr } = await run([name, '--help'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('OPTIONS')
    expect(stdout).toMatch(new RegExp(`EXAMPLES[^]*framewire ${name}`))
    expect(stdout).not.toContain('\x1b')
  })

  test('a reader that goes first is no failure', async () => {
    const started = framewire(['serve', '--help'])
    started.child.stdout?.destroy()
    expect(await started.done).toMatchObject({ code: 0, stderr: '' })
  })

  test('--version prints the version of the package', async () => {
    const { code, stdout } = await run(['--version'])
    expect({ code, ok: /^\d+\.\d+\.\d+\n$/.test(stdout) }).toEqual({ code: 0, ok: true })
  })

  test.each([
    ['an unknown command', ['sevre'], 'unknown command sevre'],
    ['an unknown option', ['send', '--pth', 'x'], 'unknown option --pth'],
    ['an option without its value', ['send', '--path'], '--path needs a value'],
    ['a word too many', ['doctor', 'now'], 'unexpected argument now'],
    ['no place to send to', ['send', 'hello'], '--path or --port'],
    ['two places to send to', ['send', '--path', 'x', '--port', '1', 'hello'], 'exclude each other'],
    ['a port that is none', ['send', '--port', '99999', 'hello'], '--port is a whole number from 0 to 65535'],
    [
      'a size that is none',
      ['send', '--port', '1', '--max-frame-length', '1 potato', 'a'],
      '--max-frame-length',
    ],
    ['an unknown format', ['send', '--port', '1', '--format', 'uint5', 'a'], 'format'],
    ['a word that is no choice', ['send', '--port', '1', '--as', 'morse', 'a'], 'Expected one of'],
    ['serve without a handler', ['serve', '--port', '0'], 'HANDLER'],
    ['serve without a place to listen', ['serve', 'handler.mjs'], 'where to listen'],
    [
      'a time no timer takes',
      ['serve', 'handler.mjs', '--port', '0', '--drain-timeout', '600h'],
      '--drain-timeout is at most',
    ],
    [
      'a load test without replies',
      ['send', '--port', '1', '--repeat', '3', '--no-reply', 'a'],
      '--repeat excludes',
    ],
    ['tap with one end', ['tap', '--listen', '1'], '--listen and --to'],
  ])('refuses %s, and exits 2', async (_, args, text) => {
    const { code, stdout, stderr } = await run(args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(text)
  })
})

test('a message of the parser has no colour where nobody would see it', async () => {
  // Under these two the parser would have none anyway.
  const { CI: _, TEST: __, NO_COLOR: ___, ...env } = process.env
  for (const args of [
    ['send', '--port', '1', '--print', 'loud', 'a'],
    ['send', '--port', '1', '--exchange', 'twice', 'a'],
    ['serve', '--port', '0'],
  ]) {
    const { code, stderr } = await run(args, '', { env: { ...env, TERM: 'xterm' } })
    expect(code).toBe(2)
    expect(stderr).toMatch(/Expected one of: |HANDLER/)
    expect(stderr).not.toContain('\x1b')
  }
})

// util-linux's `script` runs a command on a terminal of its own.
describe('on a terminal', () => {
  const onTerminal = (args: readonly string[], env: NodeJS.ProcessEnv) =>
    new Process('script', ['-qec', [process.execPath, MAIN, ...args].join(' '), '/dev/null'], {
      env: { ...process.env, TERM: 'xterm', NO_COLOR: '', ...env },
    }).done

  test('colour is shown, and not with NO_COLOR', async () => {
    expect((await onTerminal(['doctor'], {})).stdout).toContain('\x1b[1mBackend')
    expect((await onTerminal(['doctor'], { NO_COLOR: '1' })).stdout).not.toContain('\x1b')
  })

  test('a load test shows its progress', async () => {
    const folder = temporaryFolder()
    const path = join(folder, 's')
    const server = createServer({
      onRequest: (payload) => new Promise((resolve) => setTimeout(resolve, 20, payload)),
    })
    await server.listen(path)
    onTestFinished(() => server.close({ timeout: 0 }))
    const { stdout } = await onTerminal(['send', '--path', path, 'x', '--repeat', '30'], {})
    expect(stdout).toMatch(/\d+ of 30, \d+\/s, \d+ s left/)
    expect(stdout).toContain('30 replies')
  })
})

test('times are whole milliseconds, and only 0 is off', () => {
  const texts = ['0', '0.2ms', '0.29s', '1.005s', '1.5m', '500']
  expect(texts.map((text) => parseTime('timeout', text))).toEqual([0, 1, 290, 1005, 90_000, 500])
})
