// Puts the addon's sources into native-src/, for `npx framewire build-native`. There binding.gyp has another name, so that no
// package manager takes the package for one that wants to be compiled; the headers of node-addon-api lie beside it,
// because whoever installs the package does not have them.
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const target = join(root, 'native-src')
const ADDON_API = ['index.js', 'package.json', 'napi.h', 'napi-inl.h', 'napi-inl.deprecated.h', 'LICENSE.md']

rmSync(target, { recursive: true, force: true })
for (const layer of ['core', 'transport', 'binding']) {
  cpSync(join(root, 'native', layer), join(target, 'native', layer), { recursive: true })
}
cpSync(join(root, 'binding.gyp'), join(target, 'binding.gyp.json'))
for (const name of ADDON_API) {
  const file = join(target, 'node-addon-api', name)
  mkdirSync(dirname(file), { recursive: true })
  cpSync(join(root, 'node_modules/node-addon-api', name), file)
}
