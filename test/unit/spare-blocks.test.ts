import { describe, expect, it } from 'vitest'
import { Block, SpareBlocks } from '../../dist/esm/transport/native/spare-blocks.js'

const MIB = 1024 * 1024

/** Written as far as a test says. */
class Progress {
  written = 0

  isPast(count: number): boolean {
    return this.written >= count
  }
}

describe('spare blocks', () => {
  it('are used again for a frame of their size', () => {
    const spares = new SpareBlocks()
    const bytes = spares.take(100_000)
    spares.put(new Block(bytes))
    expect(spares.take(100_001) === bytes).toBe(false)
    expect(spares.take(100_000) === bytes).toBe(true)
    expect(spares.take(100_000) === bytes).toBe(false)
  })

  it('wait for everybody who writes out of them', () => {
    const spares = new SpareBlocks()
    const block = new Block(spares.take(MIB))
    const [one, other] = [new Progress(), new Progress()]
    block.writtenBy(one, 10)
    block.writtenBy(other, 20)
    spares.put(block)
    one.written = 10
    other.written = 19
    expect(spares.take(MIB) === block.bytes).toBe(false)
    other.written = 20
    expect(spares.take(MIB) === block.bytes).toBe(true)
  })

  it('are 16 MiB in all and 32 in number at most, of which the oldest go first', () => {
    const spares = new SpareBlocks()
    const large = Array.from({ length: 17 }, () => spares.take(MIB))
    for (const bytes of large) spares.put(new Block(bytes))
    const kept = new Set(Array.from({ length: 17 }, () => spares.take(MIB)))
    expect(large.map((bytes) => kept.has(bytes))).toEqual([false, ...Array(16).fill(true)])
    const small = Array.from({ length: 33 }, () => spares.take(1000))
    for (const bytes of small) spares.put(new Block(bytes))
    expect(spares.take(1000) === small[0]).toBe(false)
  })

  it('are not used when their memory was moved', () => {
    const spares = new SpareBlocks()
    const bytes = spares.take(100_000)
    spares.put(new Block(bytes))
    structuredClone(bytes.buffer, { transfer: [bytes.buffer as ArrayBuffer] })
    expect(spares.take(100_000).length).toBe(100_000)
  })
})
