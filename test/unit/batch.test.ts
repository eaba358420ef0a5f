import assert from 'node:assert'
import { FrameBatch } from 'framewire/codec'
import { describe, expect, it } from 'vitest'

/** A batch of plain frames as a transport fills it, behind `gap` bytes of other things. */
function batchOf(payloads: readonly (string | Uint8Array)[], gap = 3): FrameBatch {
  const parts: Uint8Array[] = [Buffer.alloc(gap, 0xee)]
  const table: number[] = [99, 99]
  let at = gap
  for (const payload of payloads.map((value) => Buffer.from(value as string))) {
    const head = Buffer.alloc(4)
    head.writeUInt32BE(payload.length)
    parts.push(head, payload)
    table.push(at + 4, at + 4 + payload.length)
    at += 4 + payload.length
  }
  // Of its own, not a piece of Node's pool.
  const bytes = Buffer.allocUnsafeSlow(at)
  Buffer.concat(parts).copy(bytes)
  const batch = new FrameBatch(bytes, new Uint32Array(table)) as FrameBatch & {
    base: number
    wireStart: number
    owned: boolean
    expire(): void
    detach(from?: number): FrameBatch
  }
  batch.length = payloads.length
  batch.base = 2
  batch.wireStart = gap
  return batch
}

const sizes = [
  0, 1, 10, 12, 13, 64, 100, 1000, 4095, 4096, 9000, 3, 500, 8100, 200, 40_000, 20_000, 20_000, 20_000,
  20_000,
]
const payloads = sizes.map((size, i) => Buffer.alloc(size, i + 1))

describe('a frame batch', () => {
  it('names payloads by offsets', () => {
    const batch = batchOf(['one', '', 'three'])
    expect([0, 1, 2].map((i) => batch.bytes.toString('utf8', batch.start(i), batch.end(i)))).toEqual([
      'one',
      '',
      'three',
    ])
  })

  it('copies payloads of every size, one by one and together', () => {
    const batch = batchOf(payloads)
    assert.deepStrictEqual(
      payloads.map((_, i) => batch.copy(i)),
      payloads,
    )
    assert.deepStrictEqual(batch.copyAll(), payloads)
  })

  it('gives copies that share no memory with the batch, and real Buffers', () => {
    const batch = batchOf(payloads)
    for (const copy of [...batch.copyAll(), ...payloads.map((_, i) => batch.copy(i))]) {
      expect(Buffer.isBuffer(copy)).toBe(true)
      expect(copy.buffer === batch.bytes.buffer && copy.length > 0 && copy.byteOffset < 200_000).toBe(false)
    }
    const kept = batch.copyAll()
    batch.bytes.fill(0xff)
    assert.deepStrictEqual(kept, payloads)
  })

  it('keeps little alive for a small payload, and exactly itself for a large one', () => {
    const kept = batchOf(payloads).copyAll()
    for (const payload of kept) {
      const isAlone = payload.length <= 12 || payload.length >= 32 * 1024
      const most = isAlone ? payload.length : Math.max(8192, Math.min(65_536, 64 * payload.length))
      expect(payload.buffer.byteLength).toBeLessThanOrEqual(most)
    }
  })

  it('lends views', () => {
    const batch = batchOf(['one', 'two'])
    const view = batch.view(1)
    expect(view.toString()).toBe('two')
    batch.bytes.write('TWO', batch.start(1))
    expect(view.toString()).toBe('TWO')
    expect([...batch].map(String)).toEqual(['one', 'TWO'])
  })

  it('reads text and JSON in place', () => {
    const batch = batchOf([
      'plain',
      '中文 😀',
      '',
      '{"a":[1,"é"]}',
      'x'.repeat(5000),
      Buffer.from([0x61, 0xff, 0x62]),
    ])
    expect([0, 1, 2, 3].map((i) => batch.text(i))).toEqual(['plain', '中文 😀', '', '{"a":[1,"é"]}'])
    expect(batch.text(4)).toHaveLength(5000)
    expect(batch.text(5)).toBe('a\ufffdb')
    expect(batch.json(3)).toEqual({ a: [1, 'é'] })
    expect(() => batch.json(0)).toThrow(SyntaxError)
  })

  it.each([-1, 2, 1.5, Number.NaN, 2 ** 32, '0'])('has no frame %j', (i) => {
    const batch = batchOf(['one', 'two'])
    for (const method of ['copy', 'view', 'text', 'json'] as const) {
      expect(() => batch[method](i as number)).toThrow(RangeError)
    }
  })

  it('throws when it is used after its callback', () => {
    const batch = batchOf(['one', 'two']) as FrameBatch & { expire(): void }
    const kept = batch.copy(0)
    batch.expire()
    const expired = expect.objectContaining({ code: 'ERR_FRAME_BATCH_EXPIRED' })
    for (const method of ['copy', 'view', 'text', 'json'] as const)
      expect(() => batch[method](0)).toThrow(expired)
    expect(() => batch.copyAll()).toThrow(expired)
    expect(() => [...batch]).toThrow(expired)
    expect([batch.length, batch.bytes.length, batch.start(0), batch.end(0)]).toEqual([
      0,
      0,
      undefined,
      undefined,
    ])
    expect(kept.toString()).toBe('one')
  })

  it('detaches what is left of it, headers included', () => {
    const batch = batchOf(payloads) as FrameBatch & { detach(from?: number): FrameBatch }
    for (const from of [0, 1, 7, sizes.length]) {
      const rest = batch.detach(from) as FrameBatch & { wireStart: number }
      assert.deepStrictEqual(rest.copyAll(), payloads.slice(from))
      for (let i = 0; i < rest.length; i++) {
        const wire = i === 0 ? rest.wireStart : rest.end(i - 1)
        expect(rest.bytes.readUInt32BE(wire)).toBe(rest.end(i) - rest.start(i))
      }
    }
  })

  it('gives a payload of memory nobody writes to away where it lies, once, if it is large beside that memory', () => {
    const batch = batchOf([Buffer.alloc(5000, 7), 'small', Buffer.alloc(3000, 9)], 0) as FrameBatch & {
      owned: boolean
    }
    batch.owned = true
    const isPiece = (payload: Buffer) => payload.buffer === batch.bytes.buffer
    expect([0, 1, 2].map((i) => isPiece(batch.copy(i)))).toEqual([true, false, true])
    expect([0, 1, 2].map((i) => isPiece(batch.copy(i)))).toEqual([false, false, false])
    expect(batch.copyAll().map(isPiece)).toEqual([false, false, false])
    expect(batch.copyAll().map((payload) => payload.length)).toEqual([5000, 5, 3000])
  })

  it('is kept as it is when its memory is its own and mostly frames', () => {
    const whole = batchOf([Buffer.alloc(5000, 7), Buffer.alloc(300, 8)], 0) as FrameBatch & {
      owned: boolean
      detach(from?: number): FrameBatch
    }
    whole.owned = true
    const tail = whole.detach(1)
    expect(tail.bytes.buffer).not.toBe(whole.bytes.buffer)
    const kept = whole.detach()
    expect(kept.bytes.buffer).toBe(whole.bytes.buffer)
    expect(kept.copyAll()).toEqual([Buffer.alloc(5000, 7), Buffer.alloc(300, 8)])
    expect(whole.copy(0).buffer).not.toBe(kept.bytes.buffer)
  })
})
