// Runs after `npm ci` in a checkout: compiles the TypeScript, then the addon.
// A missing compiler is no failure here: the package then runs on its JS backend and says so.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const run = (script, stdio) =>
  execFileSync(process.execPath, [fileURLToPath(new URL(script, import.meta.url))], { stdio })

run('./build.mjs', 'inherit')
try {
  run('./build-native.mjs', 'pipe')
  console.log('framewire: native addon compiled')
} catch (error) {
  const lines = `${error.stderr ?? error.message}`.trim().split('\n')
  console.warn('framewire: the native addon was not compiled, the JS backend will be used')
  console.warn(
    lines
      .filter((line) => /ERR!|error/i.test(line))
      .slice(0, 8)
      .join('\n'),
  )
}
