// npm run matrix [-- --only WORD]: the package on every runtime and in every way of loading it that docs/compatibility.md
// speaks of. Packs what is in dist/ and prebuilds/, lays it out as installed, runs the rows, and writes that table when
// all ran. Linux; other runtimes come from npm, Chromium from the system. The last line counts.
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import os, { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Checks } from './lib/checks.mjs'
import { program, root, TOOLS, tool } from './lib/tools.mjs'

const { values } = parseArgs({ options: { only: { type: 'string', default: '' } } })
const NODES = ['node20', 'node22', 'node24', 'node26']
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const checks = new Checks()
const rows = []
const folder = mkdtempSync(join(tmpdir(), 'framewire-matrix-'))
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_|^FRAMEWIRE_|^NODE_OPTIONS$/i.test(name)),
)

/** As after an install: the package's files, and its dependencies beside it. */
function install() {
  const modules = join(folder, 'node_modules')
  for (const name of ['package.json', 'dist', 'prebuilds']) {
    cpSync(join(root, name), join(modules, 'framewire', name), { recursive: true })
  }
  for (const name of ['node-gyp-build', 'citty'])
    cpSync(join(root, 'node_modules', name), join(modules, name), { recursive: true })
  mkdirSync(join(modules, '@types'))
  symlinkSync(join(root, 'node_modules/@types/node'), join(modules, '@types/node'), 'dir')
  symlinkSync(join(root, 'node_modules/undici-types'), join(modules, 'undici-types'), 'dir')
  writeFileSync(join(folder, 'package.json'), '{ "type": "module", "private": true }')
  cpSync(join(root, 'test/package/smoke.mjs'), join(folder, 'smoke.mjs'))
  for (const name of readdirSync(join(root, 'test/package/consumer'))) {
    cpSync(join(root, 'test/package/consumer', name), join(folder, name))
  }
}

/** One row: where, what, and the command that shows it. `says` finds what the command has to have printed. */
async function row(where, what, command, { says = /^/, options = {}, note = () => '' } = {}) {
  if (!`${where} ${what}`.toLowerCase().includes(values.only.toLowerCase())) return
  const result = await program(command[0], command.slice(1), { cwd: folder, env, ...options })
  const ok = result.code === 0 && says.test(result.output)
  checks.check(`${where}: ${what}`, ok, result.output.split('\n').slice(-60).join('\n'))
  rows.push({ where, what, ok, note: ok ? note(result.output) : '' })
}

const versionOf = (name) =>
  `${name.startsWith('node') ? 'Node' : name[0].toUpperCase() + name.slice(1)} ${TOOLS[name].version}`

function suite(where, what, node, files, more = {}) {
  // What is shown of a failure is the end of what was printed: nothing else is to be there.
  const vitest = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--reporter=dot', '--silent=true']
  return row(where, what, [node, ...vitest, ...files], {
    options: {
      cwd: root,
      timeout: 420_000,
      env: { ...env, FRAMEWIRE_BACKEND: 'native', NO_COLOR: '1', ...more },
    },
  })
}

async function onNode(name) {
  const node = await tool(name)
  const where = versionOf(name)
  await suite(where, 'contract suite, native, the one prebuild', node, ['test/contract/native.test.ts'], {
    PREBUILDS_ONLY: '1',
  })
  // The rest of the checkout's tests has run on the Node that runs this.
  if (!process.versions.node.startsWith(`${TOOLS[name].version.split('.')[0]}.`))
    await suite(where, 'contract suite, JavaScript; fault and unit suites, both', node, [
      'test/contract/js.test.ts',
      'test/faults',
      'test/unit',
    ])
  await row(where, 'ESM, native', [node, 'smoke.mjs', 'native'], { says: /prebuilds/ })
  await row(where, 'CommonJS, native', [node, 'cjs.cjs'], { says: /"backend":"native"/ })
  await row(where, 'worker threads, native, terminated', [node, 'worker.mjs'], { says: /"backend":"native"/ })
  await row(where, '`node:cluster`, JavaScript', [node, 'cluster.mjs'], { says: /"workers":2/ })
}

async function onOthers() {
  for (const [name, flags] of [
    ['bun', ['run']],
    ['deno', ['run', '--allow-all', '--node-modules-dir=manual']],
  ]) {
    const runtime = await tool(name)
    await row(versionOf(name), 'codec', [runtime, ...flags, 'codec.mjs'], { says: /formats/ })
    await row(versionOf(name), 'server and client, JavaScript', [runtime, ...flags, 'smoke.mjs', 'js'], {
      says: /"backend":"js"/,
    })
  }
}

async function types() {
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const common = [
    '--noEmit',
    '--strict',
    '--target',
    'es2022',
    '--types',
    'node',
    '--ignoreConfig',
    'types.ts',
  ]
  for (const [module, resolution] of [
    ['node16', 'node16'],
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ]) {
    await row('TypeScript', `types, \`moduleResolution: ${resolution}\``, [
      process.execPath,
      tsc,
      '--module',
      module,
      '--moduleResolution',
      resolution,
      ...common,
    ])
  }
}

/** A bundle has left the package's folder behind: no addon there, and no reason to fail. */
async function bundle() {
  const esbuild = await tool('esbuild')
  mkdirSync(join(folder, 'bundle'), { recursive: true })
  // A folder without node_modules above it, so that nothing is found but what is in the file.
  const out = mkdtempSync(join(tmpdir(), 'framewire-bundle-'))
  const banner =
    "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"
  try {
    for (const [format, file, flags] of [
      ['esm', 'bundle.mjs', [`--banner:js=${banner}`]],
      ['cjs', 'bundle.cjs', []],
    ]) {
      const entry = format === 'esm' ? 'smoke.mjs' : 'cjs.cjs'
      const made = await program(
        esbuild,
        [
          entry,
          '--bundle',
          '--platform=node',
          `--format=${format}`,
          `--outfile=${join(out, file)}`,
          ...flags,
        ],
        { cwd: folder, env },
      )
      if (!checks.check(`esbuild bundles to ${format}`, made.code === 0, made.output)) continue
      await row(
        'esbuild',
        `one ${format === 'esm' ? 'ESM' : 'CommonJS'} file, falls back to JavaScript`,
        [process.execPath, join(out, file)],
        { says: /"backend":"js"/, options: { cwd: out } },
      )
    }
  } finally {
    rmSync(out, { recursive: true })
  }
}

async function browser() {
  if (!existsSync(CHROMIUM)) return checks.check(`there is a browser at ${CHROMIUM}`, false)
  await row(
    'Chromium',
    '`framewire/codec` in a page, a fetched stream',
    [process.execPath, 'browser.mjs', await tool('playwright'), CHROMIUM],
    {
      says: /"frames":500/,
      note: (output) => /"chromium":"([^"]+)"/.exec(output)?.[1] ?? '',
    },
  )
}

function write() {
  const cell = ({ ok, note }) => (ok ? 'passes' : 'fails') + (note ? ` (${note})` : '')
  const lines = rows.map((r) => `| ${r.where} | ${r.what} | ${cell(r)} |`)
  const text = `# Compatibility

Written by \`npm run matrix\`, which runs every row of the table; edit \`scripts/matrix.mjs\` and not this file.

One binary per platform, compiled once on Node 20 against Node-API 8, serves every later Node. Where it cannot, the
JavaScript backend does, and \`backendInfo().reason\` says why: Bun, Deno and workers of \`node:cluster\` unless native is
asked for; another libc, \`--no-addons\`, \`--permission\` without \`--allow-addons\`, a bundle, or no prebuild for the platform.

Windows runs the JavaScript backend too unless native is asked for: named pipes are \`node:net\`'s, and the addon there has
TCP alone. \`allowPeer\` and sockets that were inherited are not to be had on Windows.

Last run: ${os.type()} ${process.arch}, ${new Date().toISOString().slice(0, 10)}.

| where | what | result |
|---|---|---|
${lines.join('\n')}

| system | binary | tried |
|---|---|---|
| Linux x64, glibc 2.28 and newer | \`linux-x64\` | every row above |
| Linux arm64, glibc 2.28 and newer | \`linux-arm64\` | loads and echoes frames, under qemu-user (\`npm run check:prebuilds\`) |
| macOS 11 and newer, x64 and arm64 | made by \`.github/workflows/prebuild.yml\` | compiled and linked with clang, its symbols looked at (\`npm run check:cross\`); never run |
| Linux x64 and arm64, musl | made by the same | as macOS |
| Windows x64 | made by the same, used only where \`backend: 'native'\` is asked for | compiled with MinGW and clang, linked with MinGW; that binary runs in Node 20 for Windows under wine: delivery, borrowed and kept frames, fairness and sends at the end of the stack over TCP, and on the JavaScript backend over named pipes (\`npm run check:wine\`). Not on Windows itself, and not as MSVC makes it: see [releasing](releasing.md) |
`
  writeFileSync(join(root, 'docs/compatibility.md'), text)
}

try {
  const made = await program(process.execPath, ['scripts/prebuild.mjs', '--if-stale'], {
    cwd: root,
    timeout: 400_000,
  })
  if (!checks.check('a prebuild for this machine', made.code === 0, made.output)) process.exit(checks.close())
  install()
  for (const name of NODES) await onNode(name)
  await onOthers()
  await types()
  await bundle()
  await browser()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
const code = checks.close()
if (values.only === '' && code === 0) write()
process.exit(code)
