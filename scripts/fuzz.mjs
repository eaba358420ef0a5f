// npm run fuzz -- SECONDS [TARGET...]: libFuzzer under AddressSanitizer and UBSan, the seconds shared among the targets
// (native/fuzz/*.cc). The corpus in native/fuzz/corpus/TARGET becomes the smallest that covers the same; an input that fails is left in
// native/fuzz/crashes and named. Prints the number of executions. Needs clang (Debian: apt-get install clang libclang-rt-dev).
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { build, cache, FLAVOURS, hasHeader, root, run } from './native-build.mjs'

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
  console.error(`${compiler} does not run. On Debian: apt-get install clang libclang-rt-dev`)
  process.exit(1)
}

/** The smallest set of inputs that covers what old and new ones cover becomes the corpus. */
async function keep(binary, corpus, found, timeout) {
  const least = `${found}-least`
  mkdirSync(least)
  try {
    // Without hit counters: an input stays for an edge of its own, not for taking one more often.
    const args = ['-merge=1', '-use_counters=0', '-max_len=600', least, corpus, found]
    const { code, output } = await run(binary, args, { timeout })
    if (code !== 0) throw new Error(`the corpus could not be merged\n${output}`)
    rmSync(corpus, { recursive: true })
    cpSync(least, corpus, { recursive: true })
  } finally {
    rmSync(least, { recursive: true, force: true })
  }
}

async function fuzz(target, share) {
  const name = basename(target, '.cc')
  const corpus = join(folder, 'corpus', name)
  const crashes = join(folder, 'crashes')
  // Everything that was ever found here; the repository keeps the least of it.
  const found = join(cache, 'corpus', name)
  for (const path of [corpus, crashes, found]) mkdirSync(path, { recursive: true })
  const binary = await build(
    compiler,
    `fuzz-${name}`,
    [...list(join(root, 'native/core')), target],
    FLAVOURS.fuzz,
  )
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
    await keep(binary, corpus, found, timeout)
    return { name, executions, ok: true }
  } finally {
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
