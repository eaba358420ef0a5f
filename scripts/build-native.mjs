// Compiles the addon into build/Release with node-gyp. Arguments are passed on to node-gyp.
// FRAMEWIRE_NODE_HEADERS names a folder of Node's headers (the one above include/node); without it the headers beside the
// running node are used where they lie, and node-gyp fetches them where they do not.
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { nodeHeaders } from './lib/node-headers.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const gyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js')
const headers = nodeHeaders()
const flags = headers === undefined ? [] : [`--nodedir=${headers}`]
execFileSync(process.execPath, [gyp, 'rebuild', ...flags, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
})
