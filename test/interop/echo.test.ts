/**
 * A program in C that writes frames of 0 B to 1 MiB in random pieces, reads while it writes, and compares the echo byte for
 * byte. `npm run soak:echo` is the same with 100,000 frames.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { backends } from './backends.js'

interface Conversation {
  readonly program: string
  readonly folder: string
  readonly backend: 'js' | 'native'
  readonly way: 'frames' | 'batches'
  readonly frames: number
  readonly seed: number
}

interface SoakEcho {
  hasCompiler(): boolean
  compile(folder: string): string
  converse(what: Conversation): Promise<{ frames: number; bytes: number; writes: number; reads: number }>
}

const script = new URL('../../scripts/soak-echo.mjs', import.meta.url).href
const { hasCompiler, compile, converse } = (await import(/* @vite-ignore */ script)) as SoakEcho

const FRAMES = 3000

if (!hasCompiler() || process.platform === 'win32') {
  it.skip('is left out: there is no C compiler (set CC), or no poll() to compile for', () => {})
} else {
  const folder = mkdtempSync(join(tmpdir(), 'fw-echo-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const program = compile(folder)

  describe.each(backends)('a C client of the %s backend', (backend) => {
    it.each([
      ['frames', 11],
      ['batches', 12],
    ] as const)(
      'gets back every byte it sent, echoed as %s',
      async (way, seed) => {
        const told = await converse({ program, folder, backend, way, frames: FRAMES, seed })
        expect(told.frames).toBe(FRAMES)
        // Mostly small frames, and still far more than any buffer on the way holds.
        expect(told.bytes).toBeGreaterThan(FRAMES * 50_000)
        expect(told.writes).toBeGreaterThan(FRAMES)
      },
      120_000,
    )
  })
}
