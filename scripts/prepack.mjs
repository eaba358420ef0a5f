// Before `npm pack` and `npm publish`: puts the addon's sources into native-src/, for `npx framewire build-native`. There
// binding.gyp has another name, so that no package manager takes the package for one that wants to be compiled.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const target = join(root, 'native-src')
const ADDON_API = ['index.js', 'package.json', 'napi.h', 'napi-inl.h', 'napi-inl.deprecated.h', 'LICENSE.md']

rmSync(target, { recursive: true, force: true })
if (!existsSync(join(root, 'dist/esm/index.js'))) throw new Error('dist/ is missing: npm run build')
for (const layer of ['core', 'transport', 'binding']) {
  cpSync(join(root, 'native', layer), join(target, 'native', layer), { recursive: true })
}
cpSync(join(root, 'binding.gyp'), join(target, 'binding.gyp.json'))
for (const name of ADDON_API) {
  const file = join(target, 'node-addon-api', name)
  mkdirSync(dirname(file), { recursive: true })
  cpSync(join(root, 'node_modules/node-addon-api', name), file)
}

// Source maps point at sources that are not packed.
for (const name of readdirSync(join(root, 'dist'), { recursive: true })) {
  const file = join(root, 'dist', name)
  if (name.endsWith('.map')) rmSync(file)
  else if (/\.c?js$/.test(name)) {
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.replace(/\n\/\/# sourceMappingURL=.*\n?$/, '\n'))
  }
}
