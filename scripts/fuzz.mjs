// npm run fuzz -- SECONDS [TARGET...]: libFuzzer under AddressSanitizer and UBSan, the seconds shared among the targets
// (native/fuzz/*.cc). What widens coverage is merged into native/fuzz/corpus/TARGET; an input that fails is left in
// native/fuzz/crashes and named. Prints the number of executions. Needs clang (Debian: apt-get install clang).
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { build, FLAVOURS, hasHeader, root, run } from './native-build.mjs'

const compiler = process.env.FUZZ_CXX ?? 'clang++'
const [seconds = '60', ...only] = process.argv.slice(2)
if (!/^\d+$/.test(seconds) || Number(seconds) === 0) {
  console.error('usage: npm run fuzz -- SECONDS [TARGET...]')
  process.exit(2)
}
const folder = join(root, 'native/fuzz')
const list = (path) =>
  readdirSync(path)
    .filter((name) => name.endsWith('.cc'))
    .map((name) => join(path, name))
const targets = list(folder).filter((file) => basename(file) !== 'replay.cc')
const chosen = targets.filter((file) => only.length === 0 || only.includes(basename(file, '.cc')))

const works = await hasHeader(compiler, 'cstdint').catch(() => false)
if (!works) {
  console.error(`${compiler} does not run. On Debian: apt-get install clang`)
  process.exit(1)
}

async function fuzz(target, share) {
  const name = basename(target, '.cc')
  const corpus = join(folder, 'corpus', name)
  const crashes = join(folder, 'crashes')
  for (const path of [corpus, crashes]) mkdirSync(path, { recursive: true })
  const binary = await build(
    compiler,
    `fuzz-${name}`,
    [...list(join(root, 'native/core')), target],
    FLAVOURS.fuzz,
  )
  const found = mkdtempSync(join(tmpdir(), 'framewire-fuzz-'))
  try {
    const limits = [
      `-max_total_time=${share}`,
      '-max_len=600',
      '-timeout=10',
      '-rss_limit_mb=1024',
      '-print_final_stats=1',
    ]
    const timeout = (share + 300) * 1000
    const { code, output } = await run(binary, [...limits, `-artifact_prefix=${crashes}/`, found, corpus], {
      timeout,
    })
    const executions = Number(/stat::number_of_executed_units:\s*(\d+)/.exec(output)?.[1] ?? 0)
    if (code !== 0) {
      console.error(output.split('\n').slice(-60).join('\n'))
      return { name, executions, ok: false }
    }
    await run(binary, ['-merge=1', '-max_len=600', corpus, found], { timeout })
    return { name, executions, ok: true }
  } finally {
    rmSync(found, { recursive: true, force: true })
    if (existsSync(crashes) && readdirSync(crashes).length === 0) rmSync(crashes, { recursive: true })
  }
}

let failed = 0
for (const target of chosen) {
  const result = await fuzz(target, Math.max(1, Math.floor(Number(seconds) / chosen.length)))
  console.log(`${result.name}: ${result.executions} executions, ${result.ok ? 'nothing found' : 'FAILED'}`)
  if (!result.ok) failed++
}
console.log(`${chosen.length - failed} passed, ${failed} failed`)
process.exit(failed === 0 && chosen.length > 0 ? 0 : 1)
