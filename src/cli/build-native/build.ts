/**
 * Compiles the addon from the sources in the package, in a folder of its own, and puts the one file that is needed where
 * the package looks first. Knows folders and node-gyp's command line.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { findHeaders, findNodeGyp } from './toolchain.js'

/** Could not be built; `output` is what the tools said. */
export class BuildError extends Error {
  constructor(
    message: string,
    readonly output: string = '',
  ) {
    super(message)
  }
}

export interface BuildOptions {
  readonly packageRoot: string
  /** Passed on to node-gyp. */
  readonly flags: readonly string[]
  /** Everything the tools print. */
  onOutput(text: string): void
}

/**
 * Resolves with the file that was built.
 * @throws {BuildError}
 */
export async function buildNative({ packageRoot, flags, onOutput }: BuildOptions): Promise<string> {
  const nodeGyp = findNodeGyp(packageRoot)
  if (nodeGyp === undefined) {
    throw new BuildError(
      'node-gyp was not found; npm brings it along: run `npx framewire build-native`, or `npm install -g node-gyp`',
    )
  }
  const headers = findHeaders()
  const folder = mkdtempSync(join(tmpdir(), 'framewire-build-'))
  try {
    copySources(packageRoot, folder)
    const nodedir =
      headers === undefined || flags.some((flag) => flag.startsWith('--nodedir'))
        ? []
        : [`--nodedir=${headers}`]
    await run(process.execPath, [nodeGyp, 'rebuild', '--jobs=max', ...nodedir, ...flags], folder, onOutput)
    const target = join(packageRoot, 'build/Release/framewire.node')
    mkdirSync(dirname(target), { recursive: true })
    // Not in place: another process may have the old file mapped.
    rmSync(target, { force: true })
    cpSync(join(folder, 'build/Release/framewire.node'), target)
    return target
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * A checkout has them in its own folder; the tarball keeps them in native-src, with node-addon-api's headers, and
 * binding.gyp under a name that no package manager compiles by itself.
 */
function copySources(packageRoot: string, folder: string): void {
  const packed = join(packageRoot, 'native-src')
  const isCheckout = existsSync(join(packageRoot, 'binding.gyp'))
  const source = isCheckout ? packageRoot : packed
  const gyp = isCheckout ? join(packageRoot, 'binding.gyp') : join(packed, 'binding.gyp.json')
  if (!existsSync(gyp)) throw new BuildError(`there are no sources in ${packageRoot}`)
  cpSync(gyp, join(folder, 'binding.gyp'))
  cpSync(join(source, 'native'), join(folder, 'native'), { recursive: true })
  const addonApi = isCheckout
    ? join(packageRoot, 'node_modules/node-addon-api')
    : join(packed, 'node-addon-api')
  cpSync(addonApi, join(folder, 'node_modules/node-addon-api'), { recursive: true, dereference: true })
}

async function run(
  file: string,
  args: readonly string[],
  cwd: string,
  onOutput: (text: string) => void,
): Promise<void> {
  // binding.gyp asks `node` where headers are: it must be found, at least as the last one.
  const env = { ...process.env, PATH: [process.env.PATH, dirname(process.execPath)].join(delimiter) }
  const child = spawn(file, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      onOutput(text)
    })
  }
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  if (code !== 0) throw new BuildError(explain(output, signal ?? `exit code ${code}`), output)
}

/** What is missing, where the output says so. */
function explain(output: string, how: string): string {
  if (/Could not find any Python/i.test(output))
    return 'Python 3 was not found; node-gyp needs it (Debian: apt-get install python3)'
  if (/not found: make|spawn make ENOENT/i.test(output))
    return 'make was not found (Debian: apt-get install make g++)'
  if (/(g\+\+|c\+\+|clang\+\+|cc): (command )?not found/i.test(output)) {
    return 'a C++ compiler was not found (Debian: apt-get install g++; macOS: xcode-select --install)'
  }
  if (/nodejs\.org|getaddrinfo|ENOTFOUND|ECONNREFUSED|network/i.test(output)) {
    return "Node's headers could not be fetched; name a folder that holds include/node: FRAMEWIRE_NODE_HEADERS=/usr"
  }
  return `node-gyp failed (${how})`
}
