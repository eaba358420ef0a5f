/** What `npm pack` would put into the package: what is needed, nothing that is compiled by itself, and not too much. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { packedTypes } from '../../scripts/lib/packed-types.mjs'

const root = resolve(import.meta.dirname, '../..')

interface Packed {
  readonly path: string
  readonly size: number
}

let files: readonly Packed[]

beforeAll(() => {
  // Without prepack: it takes source maps and types out of dist/, which others are reading now. `npm run check:package` packs.
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts', '--loglevel=error']
  const output = execFileSync('npm', args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 24 })
  const packed = JSON.parse(output.slice(output.search(/^[[{]/m)))
  const [info] = Array.isArray(packed) ? packed : Object.values<{ files: Packed[] }>(packed)
  const types = packedTypes(root)
  const isTakenOut = (path: string) =>
    path.endsWith('.map') || (path.endsWith('.d.ts') && !types.has(join(root, path)))
  files = info.files.filter(({ path }: Packed) => !isTakenOut(path))
}, 60_000)

const has = (path: string) => files.some((file) => file.path === path)
const bytes = (wanted: (path: string) => boolean) =>
  files.filter(({ path }) => wanted(path)).reduce((sum, { size }) => sum + size, 0)

describe('the tarball', () => {
  it('has every file that package.json speaks of', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const named = JSON.stringify([
      manifest.main,
      manifest.module,
      manifest.types,
      manifest.bin,
      manifest.exports,
    ])
    for (const [, path] of named.matchAll(/"\.\/([^"]+\.[a-z]+)"/g)) expect(has(path), path).toBe(true)
  })

  it('gives package managers nothing to compile and nothing to run', () => {
    const { scripts, gypfile } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    for (const name of ['preinstall', 'install', 'postinstall']) expect(scripts[name]).toBeUndefined()
    expect(gypfile).toBe(false)
    expect(files.filter(({ path }) => path.endsWith('binding.gyp'))).toEqual([])
    expect(files.filter(({ path }) => path.startsWith('build/'))).toEqual([])
  })

  it('leaves out what only this repository needs', () => {
    const folders = new Set(files.map(({ path }) => path.split('/')[0]))
    for (const name of ['src', 'native', 'test', 'bench', 'examples', 'scripts', '.ci', '.github']) {
      expect(folders.has(name), name).toBe(false)
    }
  })

  it('keeps to its budget: 1 MiB of code and types, 300 KiB a binary, 200 KiB of words', () => {
    expect(bytes((path) => path.startsWith('dist/'))).toBeLessThan(1024 * 1024)
    for (const { path, size } of files.filter((file) => file.path.endsWith('.node'))) {
      expect(size, path).toBeLessThan(300 * 1024)
    }
    expect(bytes((path) => path.endsWith('.md') && !path.startsWith('native-src/'))).toBeLessThan(200 * 1024)
  })
})
