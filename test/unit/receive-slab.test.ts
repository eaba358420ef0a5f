import { describe, expect, it } from 'vitest'
import { SEAL_IS_LOOSE } from '../../dist/esm/codec/node/fixed-memory.js'
import { ReceiveSlab } from '../../dist/esm/transport/native/receive-slab.js'

const KIB = 1024

describe('the receive slab', () => {
  it.runIf(!SEAL_IS_LOOSE)(
    'may be given away when frames of middle size fill half of it, and nothing lies behind them',
    () => {
      const slab = new ReceiveSlab(true)
      expect(slab.bytes.length).toBe(256 * KIB)
      slab.beginTurn(128 * KIB, false)
      expect(slab.mayGive(32, 128 * KIB)).toBe(true)
      // Smaller ones would keep more than 64 times their size alive.
      expect(slab.mayGive(33, 128 * KIB)).toBe(false)
      slab.beginTurn(128 * KIB - 1, false)
      expect(slab.mayGive(1, 100 * KIB)).toBe(false)
      slab.beginTurn(256 * KIB, true)
      expect(slab.mayGive(1, 100 * KIB)).toBe(false)
    },
  )

  it.runIf(!SEAL_IS_LOOSE)('is another one then, of the same size, with the same table', () => {
    const slab = new ReceiveSlab(true)
    const { bytes, rows } = slab
    slab.beginTurn(200 * KIB, false)
    slab.isGiven = true
    const next = slab.renew()
    expect(next).toBe(slab.bytes)
    expect(next.buffer).not.toBe(bytes.buffer)
    expect(next.length).toBe(bytes.length)
    expect(slab.rows).toBe(rows)
    expect(rows.buffer).not.toBe(bytes.buffer)
    expect(slab.isGiven).toBe(false)
  })

  it('stays where what others hold of it could be moved', () => {
    const slab = new ReceiveSlab(false)
    slab.beginTurn(256 * KIB, false)
    expect(slab.mayGive(1, 256 * KIB)).toBe(false)
  })
})
