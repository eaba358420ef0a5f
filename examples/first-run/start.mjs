// Starts the program, with nothing to be installed before: where no `framewire` is to be found, as in a fresh checkout, the
// checkout this folder lies in becomes it, by the link that `npm install` would make.
import { mkdirSync, symlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const here = (relative) => fileURLToPath(new URL(relative, import.meta.url))

try {
  import.meta.resolve('framewire')
} catch {
  mkdirSync(here('node_modules'), { recursive: true })
  try {
    symlinkSync(here('../..'), here('node_modules/framewire'), 'junction')
  } catch (error) {
    // Somebody who started at the same time has made it.
    if (error.code !== 'EEXIST') throw error
  }
}
await import('./main.mjs')
