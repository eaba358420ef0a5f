// Compiles the addon into build/Release with node-gyp. Arguments are passed on to node-gyp.
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const gyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js')
execFileSync(process.execPath, [gyp, 'rebuild', ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' })
