// `framewire doctor` and its reasons.
import { backendInfo } from 'framewire'
import { describe, expect, test } from 'vitest'
import { run } from './harness.js'

const env = (extra: NodeJS.ProcessEnv) => ({ env: { ...process.env, ...extra } })

describe('framewire doctor', () => {
  test('tells the backend and why, as the package itself does', async () => {
    const { code, stdout, stderr } = await run(['doctor', '--json'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const { backend, versions, limits, advice } = JSON.parse(stdout)
    expect(backend).toEqual(backendInfo())
    expect(versions).toMatchObject({ runtime: `Node.js ${process.version}`, libuv: process.versions.uv })
    expect(limits.descriptors.soft).toBeGreaterThan(0)
    expect(limits.pathBytes).toBeGreaterThan(100)
    expect(advice).toBeInstanceOf(Array)
    if (process.platform === 'linux') expect(limits.somaxconn).toBeGreaterThan(0)
  })

  test('says what would make it native', async () => {
    const { stdout } = await run(['doctor', '--json'], '', env({ FRAMEWIRE_BACKEND: 'js' }))
    const { backend, remedies } = JSON.parse(stdout)
    expect(backend).toMatchObject({ backend: 'js', reason: 'asked for by FRAMEWIRE_BACKEND=js' })
    expect(remedies).toEqual([expect.stringContaining('unset FRAMEWIRE_BACKEND')])
  })

  test('--no-addons is recognised, and no cause to fail', async () => {
    const options = env({ FRAMEWIRE_BACKEND: '', NODE_OPTIONS: '--no-addons' })
    const { code, stdout } = await run(['doctor', '--json'], '', options)
    const { backend, remedies } = JSON.parse(stdout)
    expect({ code, backend: backend.backend }).toEqual({ code: 0, backend: 'js' })
    expect(remedies.length).toBeGreaterThan(0)
  })

  test('--native fails where the backend is not, also when it was demanded', async () => {
    expect(await run(['doctor', '--native'], '', env({ FRAMEWIRE_BACKEND: 'js' }))).toMatchObject({ code: 1 })
    const demanded = env({ FRAMEWIRE_BACKEND: 'native', NODE_OPTIONS: '--no-addons' })
    const { code, stdout } = await run(['doctor', '--native', '--json'], '', demanded)
    expect(code).toBe(1)
    expect(JSON.parse(stdout).backend).toMatchObject({ backend: null })
  })

  test('is readable without --json, and without colour where nobody sees it', async () => {
    const { code, stdout } = await run(['doctor'], '', env({ FRAMEWIRE_BACKEND: 'js' }))
    expect(code).toBe(0)
    expect(stdout).toMatch(/in use +js\n.*because +asked for by FRAMEWIRE_BACKEND=js/s)
    expect(stdout).not.toContain('\x1b')
  })
})
