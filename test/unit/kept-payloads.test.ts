import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'

/** Keeps one payload of `size` bytes from each of 10,000 reads of 4 KiB and prints the bytes that keeps alive. */
const PROGRAM = `
import { FrameDecoder, encodeFrame } from 'framewire/codec'
const size = Number(process.argv[1])
const frame = encodeFrame(Buffer.alloc(size, 7))
const read = Buffer.concat(Array.from({ length: Math.floor(4096 / frame.length) }, () => frame))
const live = () => {
  for (let i = 0; i < 3; i++) globalThis.gc()
  const { heapUsed, external, arrayBuffers } = process.memoryUsage()
  return heapUsed + Math.max(external, arrayBuffers)
}
const kept = []
const decoder = new FrameDecoder()
const keepOne = () => { kept[kept.length] = decoder.push(read)[Math.floor(Math.random() * 100)] }
for (let i = 0; i < 200; i++) keepOne()
const before = live()
const first = kept.length
while (kept.length < first + 10_000) keepOne()
console.log(live() - before)
if (kept.some((payload) => payload.length !== size || payload[size - 1] !== 7)) throw new Error('changed')
`

function liveBytes(size: number): number {
  const args = ['--expose-gc', '--input-type=module', '-e', PROGRAM, String(size)]
  const cwd = new URL('../../', import.meta.url)
  return Number(execFileSync(process.execPath, args, { cwd, encoding: 'utf8', timeout: 50_000 }))
}

describe('a small payload that is kept', () => {
  it('does not keep the read it came in: 10 bytes from each of 10,000 reads are under 5 MiB', () => {
    expect(liveBytes(10)).toBeLessThan(5 * 1024 * 1024)
  }, 60_000)
})
