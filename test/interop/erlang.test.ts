/** Erlang's own framing, `{packet, N}`, which every OTP program can speak. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type FormatPreset } from 'framewire'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { backends, needs, run } from './backends.js'

beforeAll(() => needs('escript', 'apt-get install erlang-base'))

describe.each(backends)('an Erlang client of the %s backend', (backend) => {
  const serve = async (format: FormatPreset) => {
    const directory = await mkdtemp(join(tmpdir(), 'fw-'))
    const path = join(directory, 's')
    const server = createServer({ backend, format, onRequest: (payload) => payload })
    await server.listen(path)
    onTestFinished(async () => {
      await server.close({ timeout: 0 })
      await rm(directory, { recursive: true, force: true })
    })
    return path
  }

  it.each([
    [1, 255],
    [2, 65_535],
    [4, 300_000],
  ] as const)('with {packet, %i} gets back %i bytes of every value, again and again', async (width, size) => {
    const path = await serve(`erlang:${width}`)
    const payload = Buffer.from(Array.from({ length: size }, (_, i) => i & 127))
    const outcome = await run('escript', 'client.escript', [path, String(width), '3'], payload)
    expect(outcome.status).toBe(0)
    expect(outcome.reply === payload.toString().repeat(3)).toBe(true)
  })

  it('with {packet, 4} sends and reads an empty frame', async () => {
    const path = await serve('erlang:4')
    expect(await run('escript', 'client.escript', [path, '4', '2'], '')).toEqual({ reply: '', status: 0 })
  })
})
