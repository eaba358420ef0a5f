// Compilers on Linux for the systems the addon is made for besides: zig (clang, libc++, and the libc of macOS and musl) from
// npm, MinGW (GCC, libstdc++) from Debian. Knows their command lines and where they keep what they need, not what is compiled.
import { dirname, join } from 'node:path'
import { nodeHeaders } from './node-headers.mjs'
import { program, root, tool } from './tools.mjs'

export const folder = join(root, 'node_modules/.cache/framewire-cross')
export const MINGW = 'x86_64-w64-mingw32-'
const LIMIT = { timeout: 240_000 }

/** The parts of libc++ that the addon asks for: they are compiled alone, which takes seconds and not minutes. */
const LIBCXX = [
  'libcxx/src/hash.cpp',
  'libcxx/src/new_handler.cpp',
  'libcxx/src/new_helpers.cpp',
  'libcxx/src/string.cpp',
  'libcxx/src/verbose_abort.cpp',
  'libcxxabi/src/abort_message.cpp',
  'libcxxabi/src/stdlib_new_delete.cpp',
]

const headers = () => {
  const found = nodeHeaders()
  if (found === undefined) throw new Error('no headers of Node: set FRAMEWIRE_NODE_HEADERS')
  return [join(root, 'node_modules/node-addon-api'), join(found, 'include/node')]
}

/** Includes that are not ours bring no warnings along. */
const includes = () => headers().flatMap((path) => ['-isystem', path])

export async function mingw() {
  const run = (name, args) => program(`${MINGW}${name}`, args, { ...LIMIT, cwd: root })
  return {
    compile: (source, object, flags) =>
      run('g++-posix', [...flags, ...includes(), '-c', join(root, source), '-o', object]),
    run,
  }
}

/** `target`: as zig names it, `aarch64-macos` say. */
export async function zig(target) {
  const [compiler, library] = await Promise.all([tool('zig'), tool('ziglib')])
  const home = dirname(library)
  const cache = join(folder, 'zig')
  const env = { ...process.env, ZIG_LIB_DIR: home, ZIG_GLOBAL_CACHE_DIR: cache, ZIG_LOCAL_CACHE_DIR: cache }
  const run = (name, args) =>
    program(compiler, [name, '-target', target, ...args], { ...LIMIT, cwd: root, env })
  const ownRuntime = ['-I', join(home, 'libcxx/src'), '-I', join(home, 'libcxxabi/include')]
  return {
    compile: (source, object, flags) =>
      run('c++', [...flags, ...includes(), '-c', join(root, source), '-o', object]),
    /** `cc`, so that all of libc++ is not compiled for it. */
    link: (objects, addon, flags) => run('cc', [...flags, ...objects, '-o', addon]),
    /** What a system without libc++ needs of it. `flags`: those of the addon. */
    runtime: LIBCXX.map((source) => ({
      source,
      compile: (object, flags) =>
        run('c++', [
          ...flags,
          ...['-std=c++23', '-w', '-D_LIBCPP_BUILDING_LIBRARY', ...ownRuntime],
          ...['-D_LIBCPP_DISABLE_VISIBILITY_ANNOTATIONS', '-D_LIBCXXABI_DISABLE_VISIBILITY_ANNOTATIONS'],
          ...['-c', join(home, source), '-o', object],
        ]),
    })),
  }
}
