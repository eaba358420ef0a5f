// npm run pictures: runs what the documents show on a terminal of its own (util-linux's `script`) and draws what it
// printed, to docs/pictures. Nothing in them is made up; the name of the temporary folder is left out.
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { terminalSvg } from './lib/terminal-svg.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
delete process.env.NO_COLOR
const target = join(root, 'docs/pictures')
const folder = mkdtempSync(join(tmpdir(), 'fw-pictures-'))
const LIMIT_MS = 60_000

/** A program on a terminal of 100 columns. */
class Session {
  #child
  #ended
  #said = ''

  constructor(command) {
    const shell = `echo $$; stty cols 100 2>/dev/null; exec ${command}`
    this.#child = spawn('script', ['-qefc', shell, '/dev/null'], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, TERM: 'xterm-256color' },
    })
    this.#child.stdout.setEncoding('utf8').on('data', (text) => {
      this.#said += text
    })
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve))
  }

  /** Everything it has printed so far. */
  get text() {
    return this.#said.slice(this.#said.indexOf('\n') + 1)
  }

  kill(signal) {
    process.kill(Number.parseInt(this.#said, 10), signal)
  }

  async until(pattern) {
    const late = Date.now() + LIMIT_MS
    while (!pattern.test(this.text)) {
      if (Date.now() > late) throw new Error(`${pattern} did not come:\n${this.text}`)
      await sleep(5)
    }
    return pattern.exec(this.text)
  }

  ended() {
    return this.#ended
  }
}

/** What is left on the screen: a line that was written over shows what came last. */
const screen = (text) =>
  text
    .replaceAll('\r\n', '\n')
    .split('\n')
    .map((line) => line.split('\r').at(-1).replaceAll('\x1b[2K', ''))
    .join('\n')
    .replaceAll(`${folder}/`, '')
    .replaceAll(`${root}/`, 'node_modules/framewire/')

function draw(name, title, text) {
  writeFileSync(join(target, `${name}.svg`), terminalSvg(screen(text), title))
  console.log(`docs/pictures/${name}.svg`)
}

const framewire = `node ${join(root, 'dist/esm/cli/main.js')}`
const handler = 'export default (payload) => Buffer.concat([Buffer.from("got "), payload])\n'

async function serve() {
  const session = new Session(`${framewire} serve handler.mjs --path app.sock --workers 2`)
  await session.until(/listening on/)
  const worker = Number((await session.until(/worker (\d+) serves \(1 of 2/))[1])
  process.kill(worker, 'SIGKILL')
  await session.until(/died[\s\S]*serves \(1 of 2/)
  session.kill('SIGHUP')
  await session.until(/all workers were replaced/)
  session.kill('SIGTERM')
  await session.ended()
  draw('serve', 'framewire serve handler.mjs --path app.sock --workers 2', session.text)
}

async function run(command) {
  const session = new Session(command)
  await session.ended()
  return session.text
}

async function withServer(work) {
  const server = spawn(
    'node',
    [join(root, 'dist/esm/cli/main.js'), 'serve', 'handler.mjs', '--path', 'app.sock'],
    {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  await new Promise((resolve) => server.stderr.once('data', resolve))
  try {
    await work()
  } finally {
    server.kill('SIGTERM')
    await new Promise((resolve) => server.once('close', resolve))
  }
}

async function load() {
  const words = 'send --path app.sock hello --repeat 800000 --concurrency 64'
  const session = new Session(`${framewire} ${words}`)
  await session.until(/\d+ of 800000/)
  await session.until(/left[\s\S]*left[\s\S]*left[\s\S]*left/)
  draw('send-progress', `framewire ${words}`, session.text.slice(0, session.text.lastIndexOf('\r')))
  await session.ended()
  draw('send', `framewire ${words}`, session.text)
}

async function tap() {
  const words = 'tap --listen tap.sock --to app.sock'
  const session = new Session(`${framewire} ${words}`)
  await session.until(/tap\.sock/)
  await run(`${framewire} send --path tap.sock hello`)
  await run(`${framewire} send --path tap.sock --as hex 00ff7f00 --print hex`)
  await session.until(/#2[\s\S]*closed/)
  session.kill('SIGINT')
  await session.ended()
  draw('tap', `framewire ${words}`, session.text)
}

mkdirSync(target, { recursive: true })
writeFileSync(join(folder, 'handler.mjs'), handler)
try {
  draw('first-run', 'npm start', await run(`node ${join(root, 'examples/first-run/start.mjs')} 2>/dev/null`))
  draw('doctor', 'framewire doctor', await run(`${framewire} doctor`))
  await serve()
  await withServer(async () => {
    await load()
    await tap()
  })
} finally {
  rmSync(folder, { recursive: true, force: true })
}
