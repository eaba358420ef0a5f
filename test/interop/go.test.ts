/** A Go program with encoding/binary and io.ReadFull. */
import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createServer } from 'framewire'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { backends, needs } from './backends.js'

const folder = mkdtempSync(join(tmpdir(), 'fw-go-'))
const program = join(folder, 'client')

beforeAll(() => {
  needs('go', 'apt-get install golang-go')
  const env = { ...process.env, GO111MODULE: 'off', GOFLAGS: '', GOCACHE: join(folder, 'cache') }
  const source = fileURLToPath(new URL('client.go', import.meta.url))
  execFileSync('go', ['build', '-o', program, source], { env, stdio: 'inherit' })
}, 120_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe.each(backends)('a Go client of the %s backend', (backend) => {
  it.each([0, 5, 1_000_000])('gets back a payload of %i bytes', async (size) => {
    const path = join(folder, 's')
    const server = createServer({ backend, onRequest: (payload) => payload })
    await server.listen(path)
    try {
      const payload = Buffer.from(Array.from({ length: size }, (_, i) => i & 255))
      expect((await ask(path, payload)).equals(payload)).toBe(true)
    } finally {
      await server.close({ timeout: 0 })
    }
  })
})

function ask(path: string, payload: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const options = { encoding: 'buffer', maxBuffer: 1 << 24 } as const
    const child = execFile(program, [path], options, (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    )
    child.stdin?.end(payload)
  })
}
