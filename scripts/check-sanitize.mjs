// Builds the addon with AddressSanitizer and UBSan in a copy of the tree, runs the contract and the faults of the
// native backend under them, then a program that ends with a report of leaks. With --valgrind a short run under
// memcheck instead. Linux with gcc. Nothing is suppressed: what leaks counts where the addon is anywhere on the stack that
// allocated it, and Node.js's own does not. That such a leak is seen is tried first, with one that is planted.
import { execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './native-build.mjs'

const copy = join(root, 'build-sanitize')
const isMemcheck = process.argv.includes('--valgrind')

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

/** `heard` is given what is written to standard error, instead of the terminal. */
function run(command, args, env = {}, limit = 300, heard = undefined) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: copy,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', heard === undefined ? 'inherit' : 'pipe'],
      timeout: limit * 1000,
      killSignal: 'SIGKILL',
    })
    child.stderr?.setEncoding('utf8').on('data', heard)
    child.on('close', (code, signal) => resolve(signal ?? code))
  })
}

function libraryOf(name) {
  return execFileSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim()
}

const failures = []
function step(name, command, args, env, limit) {
  return told(name, () => run(command, args, env, limit))
}

/** `work` settles with 0 when all is well, else with what is not. */
async function told(name, work) {
  const started = performance.now()
  const outcome = await work()
  console.log(
    `=== ${name}: ${outcome === 0 ? 'ok' : `FAILED (${outcome})`}, ${((performance.now() - started) / 1000).toFixed(0)} s`,
  )
  if (outcome !== 0) failures.push(name)
  return outcome === 0
}

/** LeakSanitizer's own exit code, so that its reports and AddressSanitizer's are told apart. */
const LEAKED = 98
const ADDON = /\bframewire::|framewire\.node/

/** Goes through everything once and gives back the exit code and the reports of leaks, the addon's and the rest. */
async function leaks(preload, threads) {
  let errors = ''
  const code = await run(
    process.execPath,
    ['test/faults/programs/once-through.mjs', String(threads)],
    {
      ...preload,
      // Whole stacks, through code without frame pointers too: the addon may be far below what allocates.
      ASAN_OPTIONS: `${asan(1)}:fast_unwind_on_malloc=0:malloc_context_size=60`,
      LSAN_OPTIONS: `exitcode=${LEAKED}`,
    },
    300,
    (text) => {
      errors += text
    },
  )
  const reports = errors.match(/^(Direct|Indirect) leak of [\s\S]*?(?=\n\n)/gm) ?? []
  const ours = reports.filter((report) => ADDON.test(report))
  return { code, errors, ours, others: reports.length - ours.length }
}

async function leaksNothing(preload) {
  const { code, errors, ours, others } = await leaks(preload, 20)
  if (code !== 0 && code !== LEAKED) {
    process.stderr.write(errors)
    return code
  }
  if (code === LEAKED && ours.length + others === 0) return `a report that is not understood:\n${errors}`
  for (const report of ours) console.log(`${report}\n`)
  console.log(`${ours.length} leaks of the addon, ${others} of Node.js alone`)
  return ours.length === 0 ? 0 : 'leaks'
}

/** Builds the addon in the copy again with a leak for each connection, and checks that it is told of. */
async function seesPlantedLeak(preload) {
  const source = join(copy, 'native/transport/connection.cc')
  const clean = readFileSync(source, 'utf8')
  const at = '  config.hub = &hub;\n'
  const leaky = clean.replace(at, `${at}  static char *volatile planted;\n  planted = new char[777];\n`)
  if (leaky === clean) return 'nowhere to plant it'
  const make = () => run(process.execPath, ['node_modules/node-gyp/bin/node-gyp.js', 'build', '--silent'])
  try {
    writeFileSync(source, leaky)
    if ((await make()) !== 0) return 'does not build'
    const { code, ours } = await leaks(preload, 0)
    if (code !== LEAKED || !ours.some((report) => report.includes('Connection::create')))
      return 'it is not seen'
  } finally {
    writeFileSync(source, clean)
  }
  return make()
}

const asan = (leaks) =>
  `detect_leaks=${leaks}:halt_on_error=1:abort_on_error=0:exitcode=99:quarantine_size_mb=64`

async function sanitized() {
  const built = await step('addon with sanitizers', process.execPath, [
    'scripts/build-native.mjs',
    '--',
    '-Dsanitize=address,undefined',
  ])
  if (!built) return
  const preload = {
    LD_PRELOAD: `${libraryOf('libasan.so')} ${libraryOf('libubsan.so')}`,
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
    FRAMEWIRE_BACKEND: 'native',
  }
  if (!(await told('a planted leak is seen', () => seesPlantedLeak(preload)))) return
  await told('leaks', () => leaksNothing(preload))
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
