// Lays out what `framewire build-native` compiles from: native-src/, part of the tarball. No binding.gyp in the package's
// own folder, or npm would compile on install; the headers of node-addon-api lie beside the sources, because whoever
// installs the package does not have them. Run it before packing.
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const target = join(root, 'native-src')
const addonApi = dirname(createRequire(import.meta.url).resolve('node-addon-api/package.json'))

rmSync(target, { recursive: true, force: true })
mkdirSync(target)
cpSync(join(root, 'binding.gyp'), join(target, 'binding.gyp'))
for (const layer of ['core', 'transport', 'binding']) {
  cpSync(join(root, 'native', layer), join(target, 'native', layer), { recursive: true })
}
for (const file of [
  'package.json',
  'index.js',
  'napi.h',
  'napi-inl.h',
  'napi-inl.deprecated.h',
  'LICENSE.md',
]) {
  cpSync(join(addonApi, file), join(target, 'node-addon-api', file))
}
