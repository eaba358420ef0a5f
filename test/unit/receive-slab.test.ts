import { describe, expect, it } from 'vitest'
import { ReceiveSlab } from '../../dist/esm/transport/native/receive-slab.js'

const KIB = 1024

/** One turn in which frames of this size were kept (or not), and the memory of the next one. */
function turn(slab: ReceiveSlab, { end = 200 * KIB, count = 10, kept = true, isBusy = false } = {}): Buffer {
  slab.beginTurn(end, isBusy)
  if (kept) slab.took(count, end)
  slab.renew()
  return slab.bytes
}

describe('the receive slab', () => {
  it('makes room for a block when frames of middle size that fill half of it are kept', () => {
    const slab = new ReceiveSlab()
    const { bytes: base, rows } = slab
    expect(turn(slab, { kept: false })).toBe(base)
    expect(turn(slab, { end: 128 * KIB - 1, count: 1 })).toBe(base)
    // Smaller ones would keep more than 64 times their size alive.
    expect(turn(slab, { end: 128 * KIB, count: 33 })).toBe(base)
    const block = turn(slab, { end: 128 * KIB, count: 32 })
    expect(block.buffer).not.toBe(base.buffer)
    expect(block.length).toBe(base.length)
    expect(slab.rows).toBe(rows)
    expect([rows.buffer, base.buffer]).not.toContain(block.buffer)
  })

  it('is never given away itself, and a block is, in the one turn that is shown it', () => {
    const slab = new ReceiveSlab()
    slab.beginTurn(200 * KIB, false)
    expect(slab.mayGive(10, 200 * KIB)).toBe(false)
    const { bytes: base } = slab
    const block = turn(slab)
    slab.beginTurn(200 * KIB, false)
    expect(slab.mayGive(10, 200 * KIB)).toBe(true)
    expect(slab.mayGive(1000, 200 * KIB)).toBe(false)
    slab.took(10, 200 * KIB)
    expect(slab.renew()).toBe(true)
    expect([block, base]).not.toContain(slab.bytes)
    expect(turn(slab, { kept: false })).toBe(base)
  })

  it('does not show a block that more is to be read from', () => {
    const slab = new ReceiveSlab()
    const block = turn(slab)
    block.fill('frames')
    slab.beginTurn(256 * KIB, true)
    expect(slab.shown.buffer).not.toBe(block.buffer)
    expect(slab.shown.equals(block)).toBe(true)
    expect(slab.mayGive(1, 256 * KIB)).toBe(false)
    slab.beginTurn(200 * KIB, false)
    expect(slab.shown).toBe(block)
  })
})
