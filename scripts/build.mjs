// Compiles src/ twice, to dist/esm and dist/cjs, each with its types. Comments stay in the types, where editors show them, and
// in the sources; the code that is installed goes without.
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')

rmSync(new URL('../dist', import.meta.url), { recursive: true, force: true })
for (const project of ['tsconfig.json', 'tsconfig.cjs.json']) {
  for (const kind of [['--emitDeclarationOnly'], ['--declaration', 'false', '--removeComments']]) {
    execFileSync(process.execPath, [tsc, '-p', project, ...kind], { cwd: root, stdio: 'inherit' })
  }
}
writeFileSync(new URL('../dist/cjs/package.json', import.meta.url), '{ "type": "commonjs" }\n')
