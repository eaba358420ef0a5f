// Where Node's own headers lie on this machine, so that compiling needs no download. Knows folders, not compilers.
import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The folder above `include/node`; undefined: node-gyp has to fetch them. */
export function nodeHeaders() {
  const given = process.env.FRAMEWIRE_NODE_HEADERS ?? process.env.npm_config_nodedir
  const folders = [given, dirname(dirname(realpathSync(process.execPath)))]
  return folders.find((folder) => folder && existsSync(join(folder, 'include/node/node_api.h')))
}
