// Compiles C++ for tests and fuzzing, without Node and without node-gyp. Knows a compiler's command line and which
// objects are still fresh, not what is built.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '')
export const cache = join(root, 'node_modules/.cache/framewire-native')

const COMMON = ['-std=c++17', '-g', '-Wall', '-Wextra', `-DFRAMEWIRE_ROOT="${root}"`]
/** The sources that the addon is made of are held to its rules; tests use the standard library as they like. */
const SHIPPED = ['-fno-exceptions', '-fno-rtti']

const children = new Set()
// A run that is stopped takes its compilers and fuzzers along.
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

/** Runs a program and gives back what it printed; its exit code is checked by the caller. */
export function run(command, args, { show = false, timeout = 600_000 } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], timeout })
    children.add(child)
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text
        if (show) process.stdout.write(text)
      })
    }
    child.on('error', reject)
    child.on('close', (code, signal) => {
      children.delete(child)
      resolve({ code, signal, output })
    })
  })
}

/** Whether the compiler finds a header. */
export async function hasHeader(compiler, header) {
  const probe = join(cache, 'probe.cc')
  mkdirSync(cache, { recursive: true })
  writeFileSync(probe, `#include <${header}>\n`)
  return (await run(compiler, ['-std=c++17', '-fsyntax-only', probe])).code === 0
}

function newestInput(dependencyFile) {
  const names = readFileSync(dependencyFile, 'utf8')
    .replace(/^[^:]*:/, '')
    .split(/[\s\\]+/)
    .filter(Boolean)
  return Math.max(...names.map((name) => (existsSync(name) ? statSync(name).mtimeMs : Infinity)))
}

function isFresh(object, command) {
  const stamp = `${object}.command`
  if (!existsSync(object) || !existsSync(`${object}.d`) || !existsSync(stamp)) return false
  return readFileSync(stamp, 'utf8') === command && newestInput(`${object}.d`) <= statSync(object).mtimeMs
}

async function compile(compiler, source, flavour) {
  const object = join(cache, flavour.name, `${relative(root, source)}.o`)
  const shipped = /native\/(core|transport)\//.test(source)
  const core = source.includes('native/core/')
  const args = [
    ...COMMON,
    ...flavour.flags,
    ...(shipped ? SHIPPED : []),
    ...(core ? ['-Wshadow', '-Wconversion'] : []),
    '-MMD',
    '-MF',
    `${object}.d`,
    '-c',
    source,
  ]
  const command = [compiler, ...args].join(' ')
  if (isFresh(object, command)) return object
  mkdirSync(dirname(object), { recursive: true })
  const { code, output } = await run(compiler, [...args, '-o', object])
  if (code !== 0) throw new Error(`${relative(root, source)} does not compile (${flavour.name})\n${output}`)
  if (output) process.stdout.write(output)
  writeFileSync(`${object}.command`, command)
  return object
}

/** Compiles (two at a time) and links. Returns the program's path. */
export async function build(compiler, program, sources, flavour, libraries = []) {
  const objects = new Array(sources.length)
  let next = 0
  const worker = async () => {
    while (next < sources.length) {
      const i = next++
      objects[i] = await compile(compiler, sources[i], flavour)
    }
  }
  await Promise.all([worker(), worker()])
  const binary = join(cache, flavour.name, program)
  const args = [...flavour.flags, ...(flavour.linkFlags ?? []), ...objects, '-o', binary, ...libraries]
  const { code, output } = await run(compiler, args)
  if (code !== 0) throw new Error(`${program} does not link (${flavour.name})\n${output}`)
  return binary
}

// vptr needs the RTTI that the shipped sources do without.
const SANITIZE = [
  '-fsanitize=address,undefined',
  '-fno-sanitize=vptr',
  '-fno-sanitize-recover=all',
  '-fno-omit-frame-pointer',
]
export const FLAVOURS = {
  plain: { name: 'plain', flags: ['-O2'] },
  sanitized: { name: 'sanitized', flags: ['-O1', ...SANITIZE] },
  fuzz: {
    name: 'fuzz',
    flags: ['-O1', ...SANITIZE, '-fsanitize=fuzzer-no-link'],
    linkFlags: ['-fsanitize=fuzzer'],
  },
}
