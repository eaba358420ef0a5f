import { describe, expect, it } from 'vitest'
import { LargeReads } from '../../dist/esm/transport/js/budget.js'

describe('large reads', () => {
  const reader = (activeAt: number) => {
    const one = { activeAt, told: 0, readLittle: () => void one.told++ }
    return Object.assign(one, { isAdmitted: false, admittedBefore: undefined, admittedBehind: undefined })
  }

  it('are for so many at a time, and whoever leaves makes room', () => {
    const reads = new LargeReads(2)
    const [a, b, c] = [reader(0), reader(0), reader(0)]
    expect([a, b, c, a, b].map((one) => reads.admit(one, 10))).toEqual([true, true, false, true, true])
    reads.leave(a)
    expect(reads.admit(c, 10)).toBe(true)
    expect(reads.admit(a, 10)).toBe(false)
    expect([a.told, b.told, c.told]).toEqual([0, 0, 0])
  })

  it('are taken from one who has been idle, wherever he is among them', () => {
    const reads = new LargeReads(3)
    const [busy, idle, also, late] = [reader(5000), reader(4000), reader(5000), reader(5000)]
    for (const one of [busy, idle, also]) reads.admit(one, 5000)
    // It looks at one each time it is asked.
    expect([reads.admit(late, 5100), reads.admit(late, 5100)]).toEqual([false, true])
    expect([busy.told, idle.told, also.told]).toEqual([0, 1, 0])
    expect(reads.admit(idle, 5100)).toBe(false)
  })
})
