// Builds and runs the C++ tests without Node's headers: plain, and under AddressSanitizer and UBSan, then replays
// the fuzz corpus. The last line says how many passed and failed.
//
//   native/test/*.cc             with native/core
//   native/test/transport/*.cc   with native/core, native/transport and libuv
//   native/fuzz/*.cc             each a target, replayed over native/fuzz/corpus/NAME
import { readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { build, FLAVOURS, hasHeader, root, run } from './native-build.mjs'

const compiler = process.env.CXX ?? 'c++'
const native = join(root, 'native')

function sources(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.cc'))
    .sort()
    .map((name) => join(folder, name))
}

async function need(header, debianPackage) {
  if (await hasHeader(compiler, header).catch(() => false)) return
  console.error(`${compiler} does not find <${header}>. On Debian: apt-get install g++ ${debianPackage}`)
  process.exit(1)
}

/** Calls of the sources under test that native/test/transport/failing.cc answers. */
const WRAPPED = [
  ...['malloc', 'realloc', 'accept4', 'recv', 'send', 'sendmsg', 'shutdown'],
  ...['socket', 'connect', 'bind', 'listen', 'uv_poll_init_socket', 'uv_poll_start'],
]

const core = sources(join(native, 'core'))
// Failing calls are a matter of GNU's linker.
const transportTests = process.platform === 'linux' ? sources(join(native, 'test/transport')) : []
const total = { passed: 0, failed: 0 }

async function runTests(program, files, flavour, libraries) {
  const binary = await build(compiler, program, files, flavour, libraries)
  const { code, signal, output } = await run(binary, [], { show: true })
  const counts = /test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed/.exec(output)
  total.passed += Number(counts?.[1] ?? 0)
  total.failed += Number(counts?.[2] ?? 0)
  if (code === 0 && counts) return
  if (!counts || counts[2] === '0') total.failed++
  console.error(`${program} (${flavour.name}) ended with ${signal ?? code}`)
}

async function replay(target, flavour) {
  const name = basename(target, '.cc')
  const binary = await build(
    compiler,
    `replay-${name}`,
    [...core, target, join(native, 'fuzz/replay.cc')],
    flavour,
  )
  const { code, output } = await run(binary, [join(native, 'fuzz/corpus', name)])
  const count = Number(/\[replay\] (\d+) inputs passed/.exec(output)?.[1] ?? 0)
  if (code === 0 && count > 0) {
    total.passed += count
    console.log(`[replay] ${name} (${flavour.name}): ${count} inputs passed`)
    return
  }
  total.failed++
  console.error(`replay of ${name} (${flavour.name}) failed\n${output}`)
}

await need('doctest/doctest.h', 'doctest-dev')
if (transportTests.length > 0) await need('uv.h', 'libuv1-dev')
const transport = sources(join(native, 'transport'))
const main = join(native, 'test/main.cc')
const fuzzTargets = sources(join(native, 'fuzz')).filter((file) => basename(file) !== 'replay.cc')

try {
  for (const flavour of [FLAVOURS.plain, FLAVOURS.sanitized]) {
    await runTests('core-tests', [...core, ...sources(join(native, 'test'))], flavour, [])
    if (transportTests.length > 0) {
      await runTests('transport-tests', [...core, ...transport, main, ...transportTests], flavour, [
        ...WRAPPED.map((name) => `-Wl,--wrap=${name}`),
        '-luv',
        '-lpthread',
      ])
    }
  }
  for (const target of fuzzTargets) await replay(target, FLAVOURS.sanitized)
} catch (error) {
  // Something does not compile: that is one failure, and no reason for a stack trace.
  console.error(error.message)
  total.failed++
}
console.log(`${total.passed} passed, ${total.failed} failed`)
process.exit(total.failed === 0 ? 0 : 1)
