// The files of types in dist/ that an entry point of the package leads to: what those who install it can use.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** @returns {Set<string>} paths as `root` has them */
export function packedTypes(root) {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const found = new Set()
  for (const { import: esm, require: cjs } of Object.values(exports)) {
    for (const entry of [esm, cjs]) if (entry) addTypes(join(root, entry.types), found)
  }
  return found
}

/** Adds the types in `file`, and those they are made of. */
function addTypes(file, found) {
  if (found.has(file)) return
  found.add(file)
  const named = readFileSync(file, 'utf8').matchAll(/(?:from |import\()['"](\.[^'"]+)\.js['"]/g)
  for (const [, path] of named) addTypes(join(dirname(file), `${path}.d.ts`), found)
}
