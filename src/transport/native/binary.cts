/**
 * Finds and loads the addon's binary. CommonJS in both builds, because it needs `require` and `__dirname`. Knows where
 * binaries lie, not what to do without one. `absent` is not `broken`: no binary for this platform is a quiet fallback,
 * one that does not load is worth a word.
 */
export type LoadedBinary =
  | { readonly status: 'loaded'; readonly binding: unknown; readonly path: string }
  | { readonly status: 'absent'; readonly reason: string }
  | { readonly status: 'broken'; readonly reason: string; readonly path: string; readonly cause: unknown }

/** The package's folder: the one above `dist`. undefined when this file was bundled into another program. */
function packageRoot(): string | undefined {
  if (typeof __dirname !== 'string') return undefined
  // Not at the top: in a bundle of ES modules `require` throws, which must not keep the program from starting.
  const fs = require('node:fs') as typeof import('node:fs')
  const path = require('node:path') as typeof import('node:path')
  for (let folder = __dirname; ; folder = path.dirname(folder)) {
    try {
      const manifest = fs.readFileSync(path.join(folder, 'package.json'), 'utf8')
      if (JSON.parse(manifest).name === 'framewire') return folder
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // Not here, or not for us to read (--permission): look further up.
      if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'ERR_ACCESS_DENIED') throw error
    }
    if (folder === path.dirname(folder)) return undefined
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.split('\n')[0] : String(error)
}

/** Never throws. */
export function loadBinary(): LoadedBinary {
  let file: string
  try {
    const root = packageRoot()
    if (root === undefined) return { status: 'absent', reason: 'the package folder was not found (bundled?)' }
    file = resolveBinary(root)
  } catch (error) {
    return {
      status: 'absent',
      reason: `no binary for ${process.platform}-${process.arch}: ${messageOf(error)}`,
    }
  }
  try {
    return { status: 'loaded', binding: load(file), path: file }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // Forbidden is not broken: the binary was never looked at.
    if (code === 'ERR_DLOPEN_DISABLED' || code === 'ERR_ACCESS_DENIED') {
      return { status: 'absent', reason: `addons are disabled in this process: ${messageOf(error)}` }
    }
    return {
      status: 'broken',
      reason: `${file} does not load: ${messageOf(error)}`,
      path: file,
      cause: error,
    }
  }
}

/**
 * An instance of our own: `require` gives everybody the same one, and a process may hold this package twice, as ES modules
 * and as CommonJS, each with a hub of its own.
 */
function load(file: string): unknown {
  if (isCutShort(file)) throw new Error('the file is not whole')
  const module = { exports: {} }
  process.dlopen(module, file)
  return module.exports
}

/** Loading an ELF file that was cut short ends the process: its pages are mapped, and those that are missing fault. */
function isCutShort(file: string): boolean {
  const fs = require('node:fs') as typeof import('node:fs')
  const head = Buffer.alloc(64)
  const descriptor = fs.openSync(file, 'r')
  try {
    fs.readSync(descriptor, head, 0, head.length, 0)
    if (head.readUInt32BE(0) !== 0x7f454c46 || head[5] !== 1) return false
    const isWide = head[4] === 2
    // Where the section headers begin, the last thing in the file; their size and number.
    const start = isWide ? Number(head.readBigUInt64LE(40)) : head.readUInt32LE(32)
    const at = isWide ? 58 : 46
    return fs.fstatSync(descriptor).size < start + head.readUInt16LE(at) * head.readUInt16LE(at + 2)
  } finally {
    fs.closeSync(descriptor)
  }
}

function resolveBinary(root: string): string {
  const nodeGypBuild = require('node-gyp-build') as { resolve(folder: string): string }
  return nodeGypBuild.resolve(root)
}
