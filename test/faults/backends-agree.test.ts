/** Both backends tell the same story of the same stream, whatever the options: a short run of `npm run fuzz:api`. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'

const isNative = process.env.FRAMEWIRE_BACKEND !== 'js'

type Compare = (seed: number, directory: string) => Promise<unknown>

if (!isNative) it('is left out by FRAMEWIRE_BACKEND=js', () => {})
else {
  it('2. random options, frames, cuts and ends are told alike by js and native', async () => {
    const script = new URL('../../scripts/fuzz-api.mjs', import.meta.url).href
    const { compare } = (await import(/* @vite-ignore */ script)) as { compare: Compare }
    const directory = await mkdtemp(join(tmpdir(), 'fw-'))
    onTestFinished(() => rm(directory, { recursive: true, force: true }))
    for (let seed = 1; seed <= 150; seed++) expect(await compare(seed, directory)).toBe(undefined)
  })
}
