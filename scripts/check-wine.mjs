// npm run check:wine: what `npm run check:cross` made for Windows, in a Windows Node under wine: the addon loads, echoes frames
// over TCP, and holds the parts of the contract that do not depend on what a unix socket alone does; so does the JavaScript
// backend, over named pipes. Wine is not Windows, and the binary is MinGW's: what is shipped is made and tried by
// .github/workflows/prebuild.yml. Needs wine (Debian: wine64). The last line counts.
import { spawnSync } from 'node:child_process'
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Checks } from './lib/checks.mjs'
import { folder as made } from './lib/cross-compilers.mjs'
import { program, root, tool } from './lib/tools.mjs'

const WINE = ['/usr/lib/wine/wine64', '/usr/bin/wine64'].find((path) => existsSync(path)) ?? 'wine64'
const addon = join(made, 'win32-x64/framewire.node')
const checks = new Checks()
const folder = mkdtempSync(join(tmpdir(), 'framewire-wine-'))
const env = {
  ...process.env,
  WINEPREFIX: join(folder, 'prefix'),
  WINEDEBUG: '-all',
  // No display, and nothing that asks whether to install something.
  DISPLAY: '',
  WINEDLLOVERRIDES: 'mscoree=;mshtml=;winemenubuilder.exe=',
  NODE_SKIP_PLATFORM_CHECK: '1',
}

/** The package as installed, with the addon as the one prebuild, and the tests as one file. */
async function install() {
  const target = join(folder, 'node_modules/framewire')
  const binaries = join(target, 'prebuilds/win32-x64')
  mkdirSync(binaries, { recursive: true })
  for (const name of ['package.json', 'dist'])
    cpSync(join(root, name), join(target, name), { recursive: true })
  cpSync(addon, join(binaries, 'framewire.node'))
  cpSync(join(root, 'node_modules/node-gyp-build'), join(folder, 'node_modules/node-gyp-build'), {
    recursive: true,
  })
  const bundled = await program(await tool('esbuild'), [
    join(root, 'test/contract/programs/wine.mjs'),
    '--bundle',
    '--platform=node',
    '--format=esm',
    '--external:framewire',
    `--alias:vitest=${join(root, 'scripts/lib/suite-runner.mjs')}`,
    `--outfile=${join(folder, 'suite.mjs')}`,
    '--log-level=warning',
  ])
  if (bundled.code !== 0) throw new Error(bundled.output)
}

/** Pipes of this system are none that a Windows Node can write to: all it says goes to files. */
function run(node, backend) {
  const log = join(folder, `${backend}.log`)
  const output = openSync(join(folder, `${backend}.txt`), 'w')
  const { status } = spawnSync(WINE, [node, 'suite.mjs', backend, `${backend}.log`], {
    cwd: folder,
    env,
    stdio: ['ignore', output, output],
    timeout: 120_000,
  })
  closeSync(output)
  const said = existsSync(log) ? readFileSync(log, 'utf8') : ''
  return { status, said, output: readFileSync(join(folder, `${backend}.txt`), 'utf8') }
}

/** wine does not always come up: who has not said anything by its end is asked once more, in a new prefix. */
async function contract(node, backend) {
  let result = run(node, backend)
  if (result.said === '') {
    console.log(`wine did not start (${result.status}): ${result.output.trim().split('\n').at(-1)}`)
    await stop()
    rmSync(env.WINEPREFIX, { recursive: true, force: true })
    result = run(node, backend)
  }
  const { status, said, output } = result
  const [line, passed, failed] = said.match(/^(\d+) passed, (\d+) failed.*$/m) ?? ['no result', 0, 1]
  const ok = status === 0 && Number(failed) === 0 && Number(passed) > 0
  checks.check(
    `contract on the ${backend} backend, Windows Node under wine: ${line}`,
    ok,
    `${status}\n${said}${output}`,
  )
}

function stop() {
  return program('/usr/lib/wine/wineserver', ['-k'], { env })
}

try {
  const there = checks.check(
    'there is an addon for Windows',
    existsSync(addon),
    'npm run check:cross makes it',
  )
  if (there) {
    await install()
    const node = await tool('node20win')
    for (const backend of ['native', 'js']) await contract(node, backend)
  }
} finally {
  await stop()
  rmSync(folder, { recursive: true, force: true })
}
process.exit(checks.close())
