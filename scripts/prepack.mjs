// Before `npm pack` and `npm publish`: the addon's sources into native-src/, and dist/ made anew with nothing in it that nobody who
// installs it can use: source maps, and types that no entry point leads to.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import './native-sources.mjs'
import './build.mjs'
import { packedTypes } from './lib/packed-types.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const types = packedTypes(root)

// Source maps point at sources that are not packed.
for (const name of readdirSync(join(root, 'dist'), { recursive: true })) {
  const file = join(root, 'dist', name)
  if (name.endsWith('.map') || (name.endsWith('.d.ts') && !types.has(file))) rmSync(file)
  else if (/\.c?js$/.test(name)) {
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.replace(/\n\/\/# sourceMappingURL=.*\n?$/, '\n'))
  }
}
