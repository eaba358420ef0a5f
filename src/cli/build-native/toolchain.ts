/**
 * What compiling needs: node-gyp, and Node's headers. Finds them without asking the network. Knows where they usually lie.
 */
import { existsSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** node-gyp's own program; undefined: there is none on this machine. */
export function findNodeGyp(packageRoot: string): string | undefined {
  const npmFolders = [
    // Set by npm for whatever it runs, npx too.
    dirname(dirname(process.env.npm_execpath ?? '')),
    join(prefix(), 'lib/node_modules/npm'),
    join(dirname(realpathSync(process.execPath)), 'node_modules/npm'),
    '/usr/share/nodejs/npm',
  ]
  const found = [
    process.env.npm_config_node_gyp,
    resolveFrom(join(packageRoot, 'package.json')),
    ...npmFolders.map((folder) => join(folder, 'node_modules/node-gyp/bin/node-gyp.js')),
    join(prefix(), 'lib/node_modules/node-gyp/bin/node-gyp.js'),
  ]
  return found.find((file) => file?.endsWith('.js') && existsSync(file))
}

/** The folder above `include/node`; undefined: node-gyp has to fetch the headers. */
export function findHeaders(): string | undefined {
  const folders = [process.env.FRAMEWIRE_NODE_HEADERS, process.env.npm_config_nodedir, prefix()]
  return folders.find((folder) => folder !== undefined && existsSync(join(folder, 'include/node/node_api.h')))
}

/** Where this Node is installed: the folder above `bin`. */
function prefix(): string {
  return dirname(dirname(realpathSync(process.execPath)))
}

function resolveFrom(file: string): string | undefined {
  try {
    return createRequire(file).resolve('node-gyp/bin/node-gyp.js')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
}
