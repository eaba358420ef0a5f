// npm run prebuilds -- [--arch x64|arm64] (not `prebuild`, which npm would run before every `build`): the addon for this
// system as a prebuild, with prebuildify, from a copy of the
// sources, so that a checkout keeps the addon it runs on. Node-API, stripped, named after the package and its libc:
// prebuilds/PLATFORM-ARCH/framewire.glibc.node. On Linux another architecture than this one's needs its cross compiler
// (Debian: g++-aarch64-linux-gnu). --if-stale: nothing is done when no source is newer than what is there.
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { nodeHeaders } from './lib/node-headers.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const prebuildify = createRequire(import.meta.url).resolve('prebuildify/bin.js')
const CROSS = { arm64: 'aarch64-linux-gnu', x64: 'x86_64-linux-gnu' }

const { values } = parseArgs({
  options: {
    arch: { type: 'string', default: process.arch },
    'if-stale': { type: 'boolean', default: false },
  },
})

/** Whether a source is newer than the prebuild that is there. */
function isStale() {
  const made = join(root, 'prebuilds', `${process.platform}-${values.arch}`)
  if (!existsSync(made)) return true
  const times = readdirSync(made).map((name) => statSync(join(made, name)).mtimeMs)
  const sources = readdirSync(join(root, 'native'), { recursive: true }).map((name) => join('native', name))
  const changed = ['binding.gyp', ...sources].map((name) => statSync(join(root, name)).mtimeMs)
  return times.length === 0 || Math.max(...changed) > Math.min(...times)
}

if (values['if-stale'] && !isStale()) process.exit(0)
const env = { ...process.env }
const flags = []
if (values.arch !== process.arch && process.platform === 'linux') {
  const prefix = CROSS[values.arch]
  env.CC = `${prefix}-gcc`
  env.CXX = `${prefix}-g++`
  env.AR = `${prefix}-ar`
  env.LINK = env.CXX
  flags.push(`--strip-bin=${prefix}-strip`)
}
const headers = nodeHeaders()
if (headers !== undefined) env.npm_config_nodedir = headers

const folder = mkdtempSync(join(tmpdir(), 'framewire-prebuild-'))
try {
  for (const name of ['package.json', 'binding.gyp', 'native']) {
    cpSync(join(root, name), join(folder, name), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir')
  execFileSync(
    process.execPath,
    [
      prebuildify,
      '--napi',
      '--strip',
      '--tag-libc',
      `--target=${process.version}`,
      `--arch=${values.arch}`,
      `--cwd=${folder}`,
      `--out=${root}`,
      ...flags,
    ],
    { env, stdio: 'inherit' },
  )
} finally {
  rmSync(folder, { recursive: true, force: true })
}
