import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** An import goes to its own area or to one with a lower number. Named by the path under src/. */
const LAYERS: Readonly<Record<string, number>> = {
  errors: 0,
  format: 1,
  options: 2,
  codec: 2,
  transport: 3,
  connection: 4,
  server: 5,
  client: 5,
  cli: 6,
  index: 7,
}

function filesOf(folder: string, pattern: RegExp): string[] {
  const entries = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
  return entries.filter((file) => pattern.test(file)).map((file) => join(folder, file))
}

function matches(file: string, pattern: RegExp): string[] {
  return [...readFileSync(join(root, file), 'utf8').matchAll(pattern)].map((match) => match[1])
}

const IMPORT = /(?:\bfrom|\bimport|\brequire)\s*\(?\s*['"]([^'"]+)['"]/g
const sources = filesOf('src', /\.ts$/)
const importsOf = (file: string) => matches(file, IMPORT)
const relativeImports = (file: string) =>
  importsOf(file)
    .filter((path) => path.startsWith('.'))
    .map((path) => normalize(join(dirname(file), path)).replace(/\.js$/, '.ts'))

/** 'src/codec/scan.ts' is in 'codec', 'src/errors.ts' in 'errors'. */
const areaOf = (file: string) => file.split('/')[1].replace(/\.ts$/, '')

describe('the layers of src', () => {
  it('have a number for every file', () => {
    expect(sources.length).toBeGreaterThan(20)
    expect(sources.filter((file) => LAYERS[areaOf(file)] === undefined)).toEqual([])
  })

  it('are imported downwards only', () => {
    const upward = sources.flatMap((file) =>
      relativeImports(file)
        .filter((target) => areaOf(target) !== areaOf(file) && LAYERS[areaOf(target)] >= LAYERS[areaOf(file)])
        .map((target) => `${file} -> ${target}`),
    )
    expect(upward).toEqual([])
  })

  it('keep the two transports apart', () => {
    const other: Record<string, string> = { 'src/transport/js/': 'native', 'src/transport/native/': 'js' }
    const crossing = Object.entries(other).flatMap(([folder, name]) =>
      sources
        .filter((file) => file.startsWith(folder))
        .flatMap((file) =>
          relativeImports(file).filter((target) => target.startsWith(`src/transport/${name}/`)),
        ),
    )
    expect(crossing).toEqual([])
  })

  it('have no cycle of imports inside a layer that a module is built from', () => {
    const graph = new Map(sources.map((file) => [file, valueImports(file)]))
    expect(sources.filter((file) => reaches(graph, file, file))).toEqual([])
  })
})

/** Imports that are there when the program runs: not `import type`. */
function valueImports(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8').replace(
    /^(?:import|export) type [^'"]*['"][^'"]+['"]$/gm,
    '',
  )
  return [...text.matchAll(IMPORT)]
    .map((match) => match[1])
    .filter((path) => path.startsWith('.'))
    .map((path) => normalize(join(dirname(file), path)).replace(/\.js$/, '.ts'))
}

function reaches(graph: ReadonlyMap<string, readonly string[]>, from: string, goal: string): boolean {
  const seen = new Set<string>()
  const open = [...(graph.get(from) ?? [])]
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (file === goal) return true
    if (seen.has(file)) continue
    seen.add(file)
    open.push(...(graph.get(file) ?? []))
  }
  return false
}

describe('the browser entry', () => {
  it('reaches no module of Node and no package', () => {
    const reached = new Set<string>(['src/codec/index.ts'])
    for (const file of reached) for (const target of relativeImports(file)) reached.add(target)
    const foreign = [...reached].flatMap((file) => importsOf(file).filter((path) => !path.startsWith('.')))
    expect(foreign).toEqual([])
    expect([...reached].filter((file) => !/^src\/(codec\/[\w-]+|errors|format)\.ts$/.test(file))).toEqual([])
  })

  it("leaves Node's modules to src/codec/node within its area", () => {
    const codec = sources.filter(
      (file) => file.startsWith('src/codec/') && !file.startsWith('src/codec/node/'),
    )
    expect(codec.flatMap((file) => importsOf(file).filter((path) => path.startsWith('node:')))).toEqual([])
  })
})

describe('the layers of native', () => {
  const included = (folder: string) =>
    filesOf(`native/${folder}`, /\.(cc|hpp)$/).flatMap((file) =>
      matches(file, /^\s*#\s*include\s*[<"]([^>"]+)[>"]/gm).map((header) => ({ file, header })),
    )
  const naming = (folder: string, pattern: RegExp) =>
    included(folder)
      .filter(({ header }) => pattern.test(header))
      .map(({ file, header }) => `${file} includes ${header}`)

  it('keep the core free of transport, binding, libuv and Node', () => {
    expect(included('core').length).toBeGreaterThan(5)
    expect(naming('core', /transport|binding|^uv|napi|^node|^v8/)).toEqual([])
  })

  it('keep the transport free of the binding and of Node', () => {
    expect(naming('transport', /binding|napi|^node|^v8/)).toEqual([])
  })
})
