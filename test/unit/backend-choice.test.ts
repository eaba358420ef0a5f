/** Which backend is chosen, and why, for every machine there could be. */
import { expect, it } from 'vitest'
// @ts-expect-error: internal, and without types of its own here.
import { BackendChooser } from '../../dist/esm/transport/choose.js'

const NATIVE = { name: 'native' }
const JS = { name: 'js' }

interface Machine {
  env?: Record<string, string>
  otherRuntime?: string
  clusterWorker?: boolean
  permission?: boolean
  found?: object
}

const LOADED = { status: 'loaded', binding: {}, path: '/there/framewire.node' }
const ABSENT = { status: 'absent', reason: 'no binary for plan9-mips' }
const BROKEN = {
  status: 'broken',
  reason: '/there/framewire.node does not load: bad magic',
  path: '/there/framewire.node',
}

function machine({ found = LOADED, ...rest }: Machine = {}) {
  const warnings: string[] = []
  let loads = 0
  const chooser = new BackendChooser({
    env: {},
    otherRuntime: undefined,
    clusterWorker: false,
    permission: false,
    nodeApi: '9',
    load: () => {
      loads++
      return found
    },
    createNative: () => NATIVE,
    createJs: () => JS,
    warn: (message: string) => warnings.push(message),
    ...rest,
  })
  return { chooser, warnings, loads: () => loads }
}

const code = (expected: string) => expect.objectContaining({ code: expected })

it('takes native where it loads, once for all', () => {
  const { chooser, loads, warnings } = machine()
  expect(chooser.choose('auto', {})).toBe(NATIVE)
  expect(chooser.choose(undefined, { peer: true })).toBe(NATIVE)
  expect(chooser.info()).toEqual({
    backend: 'native',
    reason: 'the addon loaded',
    binding: LOADED.path,
    nodeApi: 9,
  })
  expect([loads(), warnings]).toEqual([1, []])
})

it('falls back quietly where there is no binary, and says why', () => {
  const { chooser, warnings } = machine({ found: ABSENT })
  expect(chooser.choose('auto', {})).toBe(JS)
  expect(chooser.info()).toEqual({ backend: 'js', reason: ABSENT.reason, binding: null, nodeApi: 9 })
  expect(warnings).toEqual([])
})

it('names the permission model where that may be the reason', () => {
  const { chooser } = machine({ found: ABSENT, permission: true })
  expect(chooser.info().reason).toContain('permission model')
})

it('warns once of a binary that does not load', () => {
  const { chooser, warnings } = machine({ found: BROKEN })
  expect(chooser.choose('auto', {})).toBe(JS)
  expect(chooser.choose('auto', {})).toBe(JS)
  expect(chooser.info()).toMatchObject({ backend: 'js', reason: BROKEN.reason })
  expect(warnings).toEqual([expect.stringContaining(BROKEN.reason)])
})

it('takes a binary of another version for a broken one', () => {
  const { chooser, warnings } = machine({
    createNative: () => {
      throw new Error('made for version 9')
    },
  } as Machine)
  expect(chooser.choose('auto', {})).toBe(JS)
  expect(chooser.info().reason).toContain('made for version 9')
  expect(warnings.length).toBe(1)
})

it.each([
  [ABSENT, 'no binary for plan9-mips'],
  [BROKEN, 'bad magic'],
])('never falls back when native is asked for', (found, why) => {
  const { chooser, warnings } = machine({ found })
  const refusal = expect.objectContaining({
    code: 'ERR_FRAME_BACKEND_UNAVAILABLE',
    message: expect.stringMatching(new RegExp(`${why}[^]*\n- [^]*FRAMEWIRE_BACKEND=js`)),
  })
  expect(() => chooser.choose('native', {})).toThrow(refusal)
  expect(warnings).toEqual([])
  const byEnvironment = machine({ found, env: { FRAMEWIRE_BACKEND: 'native' } })
  expect(() => byEnvironment.chooser.choose('auto', {})).toThrow(refusal)
  expect(() => byEnvironment.chooser.info()).toThrow(refusal)
})

it('lets the option decide, then the environment', () => {
  const { chooser } = machine({ env: { FRAMEWIRE_BACKEND: 'js' } })
  expect(chooser.choose('native', {})).toBe(NATIVE)
  expect(chooser.choose('auto', {})).toBe(JS)
  expect(chooser.choose(undefined, {})).toBe(JS)
  expect(chooser.info().reason).toBe('asked for by FRAMEWIRE_BACKEND=js')
  expect(machine({ env: { FRAMEWIRE_BACKEND: '' } }).chooser.choose(undefined, {})).toBe(NATIVE)
  const odd = machine({ env: { FRAMEWIRE_BACKEND: 'fast' } }).chooser
  expect(() => odd.choose(undefined, {})).toThrow(code('ERR_FRAME_OPTION_INVALID'))
})

it.each([
  [{ otherRuntime: 'Bun' }, 'Bun'],
  [{ otherRuntime: 'Deno' }, 'Deno'],
  [{ clusterWorker: true }, 'node:cluster'],
])('takes js for %j unless native is asked for, without looking for a binary', (where, why) => {
  const { chooser, loads } = machine(where)
  expect(chooser.choose('auto', {})).toBe(JS)
  expect(chooser.info().reason).toContain(why)
  expect(loads()).toBe(0)
  expect(chooser.choose('native', {})).toBe(NATIVE)
})

it('gives TLS to js, unless native is asked for', () => {
  const { chooser } = machine()
  expect(chooser.choose('auto', { tls: true })).toBe(JS)
  expect(chooser.choose('js', { tls: true })).toBe(JS)
  expect(() => chooser.choose('native', { tls: true })).toThrow(code('ERR_FRAME_BACKEND_UNSUPPORTED'))
})

it('refuses to go without the credentials of peers', () => {
  const refusal = code('ERR_FRAME_BACKEND_UNSUPPORTED')
  expect(() => machine().chooser.choose('js', { peer: true })).toThrow(refusal)
  expect(() => machine({ found: ABSENT }).chooser.choose('auto', { peer: true })).toThrow(refusal)
  expect(() => machine({ clusterWorker: true }).chooser.choose('auto', { peer: true })).toThrow(refusal)
})
