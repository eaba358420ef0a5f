// Builds the addon with AddressSanitizer and UBSan in a copy of the tree, runs the contract and the faults of the
// native backend under them, then a program that ends with a report of leaks. With --valgrind a short run under
// memcheck instead. Linux with gcc; leaks of Node.js itself are left out by name, nothing else is.
import { execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './native-build.mjs'

const copy = join(root, 'build-sanitize')
const isMemcheck = process.argv.includes('--valgrind')

/** Functions of Node.js and what it carries that never give back what they take. */
const NODE_LEAKS = [
  'node::',
  'v8::',
  'napi_module_register',
  'uv_loop_',
  'uv__',
  'ares_',
  'OPENSSL_',
  'CRYPTO_',
  'icu_',
]

/** Measures of memory mean nothing beside a sanitizer's, and killing servers says nothing that terminating threads does not. */
const LEFT_OUT = '^(?!.*(4\\. a thousand|7\\. a frame|19\\. |21\\. |23\\. |24\\. |25\\. |26\\. ))'

function prepare() {
  mkdirSync(copy, { recursive: true })
  for (const name of ['src', 'native', 'test', 'scripts', 'dist']) {
    rmSync(join(copy, name), { recursive: true, force: true })
    cpSync(join(root, name), join(copy, name), { recursive: true })
  }
  for (const name of [
    'package.json',
    'binding.gyp',
    'vitest.config.mjs',
    'tsconfig.json',
    'tsconfig.cjs.json',
  ]) {
    cpSync(join(root, name), join(copy, name))
  }
  if (!existsSync(join(copy, 'node_modules')))
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
}

function run(command, args, env = {}, limit = 300) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: copy,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'inherit'],
      timeout: limit * 1000,
      killSignal: 'SIGKILL',
    })
    child.on('exit', (code, signal) => resolve(signal ?? code))
  })
}

function libraryOf(name) {
  return execFileSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim()
}

const failures = []
async function step(name, command, args, env, limit) {
  const started = performance.now()
  const outcome = await run(command, args, env, limit)
  console.log(
    `=== ${name}: ${outcome === 0 ? 'ok' : `FAILED (${outcome})`}, ${((performance.now() - started) / 1000).toFixed(0)} s`,
  )
  if (outcome !== 0) failures.push(name)
  return outcome === 0
}

async function sanitized() {
  const built = await step('addon with sanitizers', process.execPath, [
    'scripts/build-native.mjs',
    '--',
    '-Dsanitize=address,undefined',
  ])
  if (!built) return
  const suppressions = join(copy, 'leaks.txt')
  writeFileSync(suppressions, NODE_LEAKS.map((name) => `leak:${name}\n`).join(''))
  const preload = {
    LD_PRELOAD: `${libraryOf('libasan.so')} ${libraryOf('libubsan.so')}`,
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
    FRAMEWIRE_BACKEND: 'native',
  }
  const asan = (leaks) =>
    `detect_leaks=${leaks}:halt_on_error=1:abort_on_error=0:exitcode=99:quarantine_size_mb=64`
  await step(
    'contract and faults',
    process.execPath,
    [
      'node_modules/vitest/vitest.mjs',
      'run',
      'test/contract/native.test.ts',
      'test/faults/native.test.ts',
      'test/faults/counters.test.ts',
      '-t',
      LEFT_OUT,
      '--pool=forks',
      '--no-file-parallelism',
      '--reporter=default',
    ],
    { ...preload, ASAN_OPTIONS: asan(0) },
  )
  await step('leaks', process.execPath, ['test/faults/programs/once-through.mjs', '20'], {
    ...preload,
    ASAN_OPTIONS: asan(1),
    LSAN_OPTIONS: `suppressions=${suppressions}:print_suppressions=0`,
  })
}

async function memcheck() {
  const built = await step('addon with line numbers', process.execPath, ['scripts/build-native.mjs'], {
    CXXFLAGS: '-g',
  })
  if (!built) return
  const suppressions = join(copy, 'memcheck.txt')
  // Generated code and the garbage collector read what they know to be there. Left out is what node does itself or asks
  // the C library for; what the addon does has it, a library of its own, between.
  const kinds = ['Cond', 'Value8', 'Value4', 'Addr8', 'Addr4', 'Addr1']
  const frames = [
    '  obj:*/bin/node\n',
    '  obj:*vgpreload*\n  obj:*/bin/node\n',
    '  obj:*libc.so*\n  obj:*/bin/node\n',
  ]
  const rules = kinds.flatMap((kind) => frames.map((top) => `{\n  node\n  Memcheck:${kind}\n${top}}\n`))
  writeFileSync(suppressions, rules.join(''))
  await step(
    'memcheck',
    'valgrind',
    [
      '--error-exitcode=99',
      '--smc-check=all-non-file',
      '--undef-value-errors=yes',
      `--suppressions=${suppressions}`,
      '--quiet',
      process.execPath,
      '--jitless',
      'test/faults/programs/once-through.mjs',
      '0',
    ],
    { FRAMEWIRE_BACKEND: 'native' },
    600,
  )
}

if (process.platform !== 'linux') {
  console.error('check:sanitize needs Linux with gcc')
  process.exit(1)
}
prepare()
await (isMemcheck ? memcheck() : sanitized())
console.log(failures.length === 0 ? 'nothing found' : `failed: ${failures.join(', ')}`)
process.exit(failures.length === 0 ? 0 : 1)
