// Before `npm pack` and `npm publish`: the addon's sources into native-src/, and nothing in dist/ that nobody who installs it can
// use: source maps, and types of the command line.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import './native-sources.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

if (!existsSync(join(root, 'dist/esm/index.js'))) throw new Error('dist/ is missing: npm run build')

const isOfCommandLine = (name) => name.startsWith(join('esm', 'cli')) && name.endsWith('.d.ts')

// Source maps point at sources that are not packed; what the command line is made of is not exported.
for (const name of readdirSync(join(root, 'dist'), { recursive: true })) {
  const file = join(root, 'dist', name)
  if (name.endsWith('.map') || isOfCommandLine(name)) rmSync(file)
  else if (/\.c?js$/.test(name)) {
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.replace(/\n\/\/# sourceMappingURL=.*\n?$/, '\n'))
  }
}
