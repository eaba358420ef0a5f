// Runs after `npm ci` in a checkout: compiles the TypeScript, then the addon.
// A missing compiler is no failure here: the package then runs on its JS backend and says so.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

// npm runs this behind `prepack`, too, which has made dist/ as it is to be packed.
if (['pack', 'publish'].includes(process.env.npm_command)) process.exit(0)

const run = (script, stdio) =>
  execFileSync(process.execPath, [fileURLToPath(new URL(script, import.meta.url))], { stdio })

run('./build.mjs', 'inherit')
try {
  run('./build-native.mjs', 'pipe')
  console.log('framewire: native addon compiled')
} catch (error) {
  console.warn(`framewire: the native addon was not compiled (${why(`${error.stderr ?? error.message}`)});`)
  console.warn('framewire: everything else works, on the JS backend. Later: npm run build:native')
}

/** What is missing, in a few words, where the output says so. */
function why(output) {
  if (/Could not find any Python|find Python.*could not be run/.test(output)) return 'no Python 3 was found'
  if (/not found: make|make.*ENOENT/.test(output)) return 'no make was found'
  if (/Error 127|Release\/obj.*Error \d/.test(output)) return 'the C++ compiler is missing or failed'
  const lines = output.split('\n').filter((line) => /error/i.test(line))
  return lines.at(0)?.trim() ?? 'node-gyp failed'
}
