// npm run test:prebuild: the contract suite on the prebuild of this machine, and on nothing that was compiled for the
// checkout. Builds dist/ first. Arguments are passed on to vitest.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const node = (script, args, env = {}) =>
  execFileSync(process.execPath, [`${root}${script}`, ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  })

node('scripts/build.mjs', [])
// node-gyp-build looks at prebuilds/ alone then, and 'native' is an error where none fits.
node('node_modules/vitest/vitest.mjs', ['run', 'test/contract/native.test.ts', ...process.argv.slice(2)], {
  PREBUILDS_ONLY: '1',
  FRAMEWIRE_BACKEND: 'native',
})
