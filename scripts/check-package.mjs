// npm run check:package: the package as others get it. Packs it, looks at what is inside, publishes it to a registry on
// this machine, installs it from there with several package managers, and takes the addon away in every way that
// happens. Needs `npm run prebuilds` to have run (it does that when there is none). Bounded in time; the last line counts.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { Checks } from './lib/checks.mjs'
import { startRegistry } from './lib/registry.mjs'
import { program, root, tool } from './lib/tools.mjs'

const PREBUILD = `prebuilds/${process.platform}-${process.arch}`
/** The tarball with this machine's prebuild and the one for arm64. */
const BUDGET_KIB = 640
const checks = new Checks()
const folder = mkdtempSync(join(tmpdir(), 'framewire-package-'))
/** npm sets these for whatever it runs; the package managers here are to know nothing of that. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_|^FRAMEWIRE_|^NODE_OPTIONS$/i.test(name)),
)

async function must(file, args, options) {
  const result = await program(file, args, { env, ...options })
  if (result.code !== 0)
    throw new Error(`${file} ${args.join(' ')} ended with ${result.code}\n${result.output}`)
  return result
}

/** A user's folder: an own package that depends on framewire and asks the registry for it. */
function project(name, registry) {
  const path = join(folder, name)
  mkdirSync(path)
  writeFileSync(join(path, '.npmrc'), registry.npmrc)
  writeFileSync(
    join(path, 'package.json'),
    JSON.stringify({ name: `uses-${name}`, private: true, type: 'module', dependencies: { framewire: '*' } }),
  )
  cpSync(join(root, 'test/package/smoke.mjs'), join(path, 'smoke.mjs'))
  return path
}

async function pack() {
  await must(process.execPath, ['scripts/prebuild.mjs', '--if-stale'], { cwd: root, timeout: 400_000 })
  const { stdout } = await must('npm', ['pack', '--json', '--pack-destination', folder], { cwd: root })
  // The build's own words come before the JSON.
  const packed = JSON.parse(stdout.slice(stdout.search(/^[[{]/m)))
  const [info] = Array.isArray(packed) ? packed : Object.values(packed)
  const names = info.files.map(({ path }) => path)
  return { file: join(folder, info.filename.replace('/', '-')), size: info.size, names }
}

async function lint(tarball) {
  const bin = (name) => join(root, 'node_modules/.bin', name)
  const publint = await program(bin('publint'), ['run', tarball, '--strict'], { env })
  checks.check('publint finds nothing', publint.code === 0, publint.output)
  // framewire/codec has no file where Node 10 would look for it; nothing that runs this package looks there.
  const knip = await program(process.execPath, [await tool('knip'), '--no-progress'], { cwd: root, env })
  checks.check('knip finds nothing that is left over', knip.code === 0, knip.output)
  const attw = await program(bin('attw'), [tarball, '--profile', 'node16', '--no-emoji'], { env })
  checks.check('are-the-types-wrong finds nothing', attw.code === 0, attw.output)
}

async function publish(tarball, registry) {
  writeFileSync(join(folder, '.npmrc'), registry.npmrc)
  const rc = ['--userconfig', join(folder, '.npmrc'), '--ignore-scripts']
  for (const what of [join(root, 'node_modules/node-gyp-build'), join(root, 'node_modules/citty'), tarball]) {
    await must('npm', ['publish', ...rc, '--registry', registry.url, '--provenance=false', what], {
      cwd: folder,
    })
  }
}

const NOISE = /\b(warn|script|gyp|build|compil)/i
// npm reports its own setting of this machine, not the package.
const OWN_WORDS = /Unknown (user|env|project) config/

async function installWith(name, node, command, registry) {
  const path = project(name, registry)
  const home = join(folder, `home-${name}`)
  mkdirSync(home)
  const begun = performance.now()
  const result = await program(command[0], command.slice(1), {
    cwd: path,
    env: { ...env, HOME: home, npm_config_cache: join(home, 'cache'), PATH: `${dirname(node)}:${env.PATH}` },
  })
  const seconds = ((performance.now() - begun) / 1000).toFixed(1)
  if (!checks.check(`${name} installs it (${seconds} s)`, result.code === 0, result.output)) return path
  const noise = result.output
    .replaceAll('node-gyp-build', '')
    .split('\n')
    .filter((line) => NOISE.test(line) && !OWN_WORDS.test(line))
  checks.check(`${name} warns of nothing and runs no script`, noise.length === 0, noise.join('\n'))
  const installed = join(path, 'node_modules/framewire')
  checks.check(`${name} compiles nothing`, !existsSync(join(installed, 'build')))
  const smoke = await program(node, ['smoke.mjs', 'native'], { cwd: path, env })
  checks.check(
    `installed by ${name}, it runs on the native backend`,
    smoke.code === 0 && smoke.stdout.includes(`/${PREBUILD}/`),
    smoke.output,
  )
  return path
}

const INFO = "import('framewire').then((m) => console.log(JSON.stringify(m.backendInfo())))"

/** The addon is taken away: the package says so, warns only where something is broken, and works. */
async function without(
  what,
  { path, node = process.execPath, flags = [], extra = {}, reason, warns = false },
) {
  const options = { cwd: path, env: { ...env, ...extra } }
  const { code, stdout, output, stderr } = await program(node, [...flags, '-e', INFO], options)
  const info = code === 0 ? JSON.parse(stdout) : {}
  checks.check(
    `${what}: on the js backend, and backendInfo() says why`,
    info.backend === 'js' && reason.test(info.reason) && info.binding === null,
    output,
  )
  checks.check(
    `${what}: ${warns ? 'warns once' : 'no warning'}`,
    (stderr.match(/\[FRAMEWIRE_BACKEND\]/g) ?? []).length === (warns ? 1 : 0),
    stderr,
  )
  const smoke = await program(node, [...flags, 'smoke.mjs', 'js'], options)
  checks.check(`${what}: it works`, smoke.code === 0, smoke.output)
}

async function takeAway(installed, node22) {
  const copy = (name) => {
    const path = join(folder, name)
    // Its links stay links into itself.
    cpSync(installed, path, { recursive: true, verbatimSymlinks: true })
    return path
  }
  const binaries = (path) => {
    const at = join(path, 'node_modules/framewire', PREBUILD)
    return readdirSync(at).map((name) => join(at, name))
  }
  await without('another libc', {
    path: installed,
    extra: { LIBC: 'musl' },
    reason: /No native build.*libc=musl/,
  })
  await without('--no-addons', { path: installed, flags: ['--no-addons'], reason: /addons are disabled/ })
  const readAll = ['--allow-fs-read=*', '--allow-fs-write=*']
  await without('--permission', {
    path: installed,
    node: node22,
    flags: ['--permission', ...readAll],
    reason: /addons are disabled.*permission|permission/,
  })
  const corrupt = copy('corrupt')
  for (const file of binaries(corrupt)) writeFileSync(file, 'not a binary')
  await without('a corrupt binary', { path: corrupt, reason: /does not load/, warns: true })
  const absent = copy('absent')
  rmSync(join(absent, 'node_modules/framewire/prebuilds'), { recursive: true })
  await without('no prebuild', { path: absent, reason: /No native build was found/ })
  return absent
}

async function buildOnPurpose(path, npmFolder) {
  const result = await program('npx', ['framewire', 'build-native'], {
    cwd: path,
    env: { ...env, npm_config_userconfig: join(npmFolder, '.npmrc'), ...headers() },
    timeout: 300_000,
  })
  checks.check('npx framewire build-native compiles it', result.code === 0, result.output)
  const smoke = await program(process.execPath, ['smoke.mjs', 'native'], { cwd: path, env })
  checks.check('and it runs on the native backend then', smoke.code === 0, smoke.output)
}

/** This machine may have no way to Node's headers but its own. */
function headers() {
  const { npm_config_nodedir: given } = process.env
  return given ? { FRAMEWIRE_NODE_HEADERS: given } : {}
}

let registry
try {
  const tarball = await pack()
  const kib = Math.round(tarball.size / 1024)
  checks.check(
    `${basename(tarball.file)} is within its budget: ${kib} of ${BUDGET_KIB} KiB`,
    kib <= BUDGET_KIB,
  )
  const isLeftOver = (name) =>
    /^dist\/.*\.map$/.test(name) || /^dist\/esm\/(cli|transport\/js)\/.*\.d\.ts$/.test(name)
  const leftOver = tarball.names.filter(isLeftOver)
  checks.check(
    'it has no source maps, and no types that nothing leads to',
    leftOver.length === 0,
    leftOver[0],
  )
  await lint(tarball.file)
  registry = await startRegistry(join(folder, 'registry'))
  await publish(tarball.file, registry)
  const [node22, npm12, pnpm, bun] = await Promise.all(
    ['node22', 'npm12', 'pnpm', 'bun'].map((name) => tool(name)),
  )
  const own = process.execPath
  const { stdout } = await must('npm', ['--version'])
  const byNpm = await installWith(`npm-${stdout.split('.')[0]}`, own, ['npm', 'install'], registry)
  await installWith('npm-12', node22, [node22, npm12, 'install'], registry)
  await installWith('pnpm-12', own, [pnpm, 'install'], registry)
  await installWith('bun-1', own, [bun, 'install'], registry)
  const absent = await takeAway(byNpm, node22)
  await buildOnPurpose(absent, byNpm)
} finally {
  await registry?.stop()
  rmSync(folder, { recursive: true, force: true })
}
process.exit(checks.close())
