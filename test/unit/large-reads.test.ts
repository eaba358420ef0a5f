import { describe, expect, it } from 'vitest'
import { LargeReads } from '../../dist/esm/transport/js/budget.js'

describe('large reads', () => {
  const reader = (activeAt: number) => {
    const one = { activeAt, now: () => 5100, told: 0, readLittle: () => void one.told++ }
    return Object.assign(one, { isAdmitted: false, admittedBefore: undefined, admittedBehind: undefined })
  }

  it('are for so many at a time, and whoever leaves makes room', () => {
    const reads = new LargeReads(2)
    const [a, b, c] = [reader(5000), reader(5000), reader(5000)]
    expect([a, b, c, a, b].map((one) => reads.admit(one))).toEqual([true, true, false, true, true])
    reads.leave(a)
    expect(reads.admit(c)).toBe(true)
    expect(reads.admit(a)).toBe(false)
    expect([a.told, b.told, c.told]).toEqual([0, 0, 0])
  })

  it('are taken from one who has been idle, wherever he is among them', () => {
    const reads = new LargeReads(3)
    const [busy, idle, also, late] = [reader(5000), reader(4000), reader(5000), reader(5000)]
    for (const one of [busy, idle, also]) reads.admit(one)
    // It looks at one each time it is asked.
    expect([reads.admit(late), reads.admit(late)]).toEqual([false, true])
    expect([busy.told, idle.told, also.told]).toEqual([0, 1, 0])
    expect(reads.admit(idle)).toBe(false)
  })
})
