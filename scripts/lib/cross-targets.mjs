// The systems the addon is compiled for besides this one: how a binary of each is made, and what it may ask for. Knows formats
// of binaries and names of symbols, not how the results are told.
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { MINGW, mingw, zig } from './cross-compilers.mjs'
import { addon } from './gyp.mjs'
import { readMachO } from './mach-o.mjs'
import { program } from './tools.mjs'

const NODE = /^(napi|node_api|uv)_/
/** What clang's C++ leaves to the library of the system: libc++ is a part of macOS. */
const LIBCXX = /^(_ZNSt3__1|_ZSt7nothrow$|_Zn[aw]|_Zd[al])/
const ENTRY = ['napi_register_module_v1', 'node_api_module_get_api_version_v1']
const isEntry = (name) => ENTRY.includes(name)
const strange = (names, ...allowed) =>
  names.filter((name) => !allowed.some((pattern) => pattern.test(name))).sort()

/** Each with the names of what is not as it should be: nothing, where all is well. */
function macFindings(file, arch) {
  const { arch: made, libraries, wanted, offered, system } = readMachO(readFileSync(file))
  const nowhere = wanted.filter(({ library }) => library === null).map(({ name }) => name)
  return {
    [`is for ${arch}, macOS ${addon.oldestMac}`]:
      made === arch && system === addon.oldestMac ? [] : [made, system],
    "asks for Node's, libSystem's and libc++'s symbols alone": [
      ...libraries.filter((name) => name !== '/usr/lib/libSystem.B.dylib'),
      ...strange(nowhere, NODE, LIBCXX),
    ],
    'reads credentials of the peer': ['getpeereid', 'getsockopt'].filter(
      (name) => !wanted.some((symbol) => symbol.name === name),
    ),
    'exports nothing but its entry': offered.filter(
      (name) => !isEntry(name) && !/^_mh_|^__dso_handle$/.test(name),
    ),
  }
}

async function muslFindings(file, machine) {
  const { stdout } = await program('readelf', ['--wide', '--file-header', '--dynamic', '--dyn-syms', file])
  const libraries = [...stdout.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map((match) => match[1])
  const rows = stdout.split('\n').map((line) => line.trim().split(/\s+/))
  const globals = rows.filter((row) => row[4] === 'GLOBAL')
  const wanted = globals.filter((row) => row[6] === 'UND').map((row) => row[7])
  return {
    [`is for ${machine}`]: stdout.includes(machine) ? [] : ['another machine'],
    // musl has no versions of symbols, and lld has found all the rest in its libc.so.
    "asks for Node's and musl's symbols alone": [
      ...libraries.filter((name) => name !== 'libc.so'),
      ...wanted.filter((name) => /^_Z|@/.test(name)),
    ],
    'exports nothing but its entry': globals
      .filter((row) => row[6] !== 'UND')
      .map((row) => row[7])
      // Ends of a section of libc++'s that lld names by itself.
      .filter((name) => !isEntry(name) && !/^__st(art|op)_/.test(name)),
  }
}

async function windowsFindings(file) {
  const { stdout } = await program(`${MINGW}objdump`, ['-p', file])
  const libraries = stdout.split(/^\s*DLL Name: /m).slice(1)
  const names = (text) => [...text.matchAll(/^\s+[0-9a-f]+\s+\d+\s+(\w+)$/gm)].map((match) => match[1])
  const ofNode = libraries.find((text) => text.startsWith('node.exe')) ?? ''
  const offered = stdout.split('[Ordinal/Name Pointer] Table')[1] ?? ''
  return {
    'is for x64': stdout.includes('pei-x86-64') ? [] : ['another machine'],
    "asks for Node's, Winsock's and the C library's symbols alone": [
      ...libraries
        .map((text) => text.split('\n')[0].trim())
        .filter((name) => !/^(KERNEL32|msvcrt|WS2_32)\.dll$|^node\.exe$/i.test(name)),
      ...strange(names(ofNode), NODE),
    ],
    'exports nothing but its entry': [...offered.matchAll(/^\s+\[\s*\d+\].* (\w+)$/gm)]
      .map((match) => match[1])
      .filter((name) => !isEntry(name)),
  }
}

const mac = (arch, cpu) => ({
  name: `darwin-${arch}`,
  os: 'mac',
  compiler: () => zig(`${cpu}-macos.${addon.oldestMac}`),
  link: ({ link }, objects, file) =>
    link(objects, file, ['-dynamiclib', '-undefined', 'dynamic_lookup', '-Wl,-dead_strip', '-Wl,-x']),
  findings: (file) => macFindings(file, arch),
})

const EXPORTS = '-Wl,--version-script=native/binding/exports.map'
const musl = (arch, cpu, machine) => ({
  name: `linux-${arch}, musl`,
  os: 'linux',
  flags: ['-fPIC'],
  ownRuntime: true,
  compiler: () => zig(`${cpu}-linux-musl`),
  link: ({ link }, objects, file) => link(objects, file, ['-shared', '-s', '-Wl,--gc-sections', EXPORTS]),
  findings: (file) => muslFindings(file, machine),
})

/** The import library of node.exe: made of what the objects ask of it, as no other is at hand on Linux. */
async function linkToNodeExe({ run }, objects, file) {
  const { stdout } = await run('nm', ['--undefined-only', '--no-sort', '-A', ...objects])
  const names = [...stdout.matchAll(/ U (?:__imp_)?(\w+)$/gm)].map((match) => match[1])
  const wanted = [...new Set(names.filter((name) => NODE.test(name)))].sort()
  const [definition, library] = ['node.def', 'libnode.a'].map((name) => join(dirname(file), name))
  writeFileSync(definition, `NAME node.exe\nEXPORTS\n${wanted.join('\n')}\n`)
  const made = await run('dlltool', ['-d', definition, '-l', library])
  if (made.code !== 0) return made
  const flags = ['-shared', '-static', '-s', '-Wl,--gc-sections']
  return run('g++-posix', [...flags, '-o', file, ...objects, library, '-lws2_32'])
}

export const TARGETS = [
  mac('arm64', 'aarch64'),
  mac('x64', 'x86_64'),
  musl('x64', 'x86_64', 'X86-64'),
  musl('arm64', 'aarch64', 'AArch64'),
  {
    name: 'win32-x64',
    os: 'win',
    compiler: mingw,
    link: linkToNodeExe,
    findings: windowsFindings,
  },
  // libc++ on Windows is nobody's: what is seen here is that clang takes the sources, and that no length is cut to the 32
  // bits it has in libuv's buffers there.
  {
    name: 'win32-x64, clang',
    os: 'win',
    flags: ['-O0', '-Wshorten-64-to-32'],
    compiler: () => zig('x86_64-windows-gnu'),
  },
]
