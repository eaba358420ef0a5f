// What binding.gyp says of the addon, for compilers that node-gyp does not drive: sources, definitions and flags, so that
// they are written down once. Knows the file's shape, not who compiles it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './tools.mjs'

const [target] = JSON.parse(readFileSync(join(root, 'binding.gyp'), 'utf8')).targets

/** What node-gyp adds by itself, for any addon. */
const BY_NODE_GYP = ['NODE_GYP_MODULE_NAME=framewire', 'BUILDING_NODE_EXTENSION', 'USING_UV_SHARED=1']

const when = (os) => target.conditions.find(([condition]) => condition === `OS=='${os}'`)?.[1] ?? {}

export const addon = {
  sources: target.sources,
  flags: target.cflags_cc,
  oldestMac: target.xcode_settings.MACOSX_DEPLOYMENT_TARGET,
  /** `-D` flags, for an OS as gyp calls it: linux, mac, win. */
  defines: (os) =>
    [...BY_NODE_GYP, ...target.defines, ...(when(os).defines ?? [])].map((define) => `-D${define}`),
}
