// Reads what a 64-bit Mach-O file (macOS) asks for and offers, where no tool of the system does. Knows load commands and the
// symbol table, not what they should hold.
const MAGIC = 0xfeedfacf
const CPU = { 16777223: 'x64', 16777228: 'arm64' }
const SYMTAB = 0x2
const DYLIB_NAMES = { 12: 'needs', 2147483672: 'needs', 2147483679: 'needs' }
const BUILD_VERSION = 0x32
const EXTERNAL = 0x01
const TYPE = 0x0e
/** In the upper half of `n_desc`: no library is named, whoever has it at run time will do. */
const ANYWHERE = 0xfe

const textAt = (file, at) => file.toString('utf8', at, file.indexOf(0, at))

function* loadCommands(file) {
  for (let i = 0, at = 32; i < file.readUInt32LE(16); i++) {
    const size = file.readUInt32LE(at + 4)
    yield { kind: file.readUInt32LE(at), at, size }
    at += size
  }
}

function* symbols(file, at) {
  const [table, count, names] = [8, 12, 16].map((offset) => file.readUInt32LE(at + offset))
  for (let i = 0; i < count; i++) {
    const entry = table + 16 * i
    yield {
      name: textAt(file, names + file.readUInt32LE(entry)).replace(/^_/, ''),
      isExternal: (file[entry + 4] & EXTERNAL) !== 0 && (file[entry + 4] & 0xe0) === 0,
      isUndefined: (file[entry + 4] & TYPE) === 0,
      isPrivate: (file[entry + 4] & 0x10) !== 0,
      library: file[entry + 7],
    }
  }
}

/**
 * `wanted`: symbols from outside, each with the library it was found in, or null; names are as in C, without the
 * underscore. `system`: the oldest macOS it is for.
 */
export function readMachO(file) {
  if (file.readUInt32LE(0) !== MAGIC) throw new Error('not a 64-bit Mach-O file')
  const result = { arch: CPU[file.readUInt32LE(4)], libraries: [], wanted: [], offered: [], system: '' }
  let found = []
  for (const { kind, at } of loadCommands(file)) {
    if (DYLIB_NAMES[kind]) result.libraries.push(textAt(file, at + file.readUInt32LE(at + 8)))
    if (kind === BUILD_VERSION) result.system = `${file.readUInt16LE(at + 14)}.${file[at + 13]}`
    if (kind === SYMTAB) found = [...symbols(file, at)].filter((symbol) => symbol.isExternal)
  }
  for (const { name, isUndefined, isPrivate, library } of found) {
    if (!isUndefined && !isPrivate) result.offered.push(name)
    if (isUndefined)
      result.wanted.push({ name, library: library === ANYWHERE ? null : result.libraries[library - 1] })
  }
  return result
}
