import { describe, expect, it } from 'vitest'
import { Deadline, Deadlines } from '../../dist/esm/transport/js/deadlines.js'

/** Sets deadlines and settles with the order in which they ended. */
function ended(plan: [name: string, ms: number][]): Promise<string[]> {
  const deadlines = new Deadlines()
  const from = deadlines.now()
  const order: string[] = []
  return new Promise((resolve) => {
    for (const [name, ms] of plan) {
      const node = new Deadline(() => {
        expect(deadlines.now()).toBeGreaterThanOrEqual(from + ms)
        expect(node.isSet).toBe(false)
        order.push(name)
        if (order.length === plan.length) resolve(order)
      })
      deadlines.set(node, from, ms)
    }
    // The timer of deadlines keeps no process alive, and a test has no sockets.
    const alive = setInterval(() => order.length === plan.length && clearInterval(alive), 10)
  })
}

describe('deadlines', () => {
  it('end in the order of their times, whatever the order they were set in', async () => {
    expect(
      await ended([
        ['c', 60],
        ['a', 10],
        ['d', 90],
        ['b', 30],
      ]),
    ).toEqual(['a', 'b', 'c', 'd'])
  })

  it('of one length end in the order of their starts, also when one starts in the past', async () => {
    const deadlines = new Deadlines()
    const now = deadlines.now()
    const order: number[] = []
    const alive = setInterval(() => {}, 1000)
    await new Promise<void>((resolve) => {
      for (const start of [0, -5, 5, -10]) {
        const node = new Deadline(() => order.push(start) === 4 && resolve())
        deadlines.set(node, now + start, 30)
      }
    })
    clearInterval(alive)
    expect(order).toEqual([-10, -5, 0, 5])
  })

  it('can be moved, cleared, and set again when they end', async () => {
    const deadlines = new Deadlines()
    const alive = setInterval(() => {}, 1000)
    const calls: string[] = []
    const cleared = new Deadline(() => calls.push('cleared'))
    deadlines.set(cleared, deadlines.now(), 10)
    await new Promise<void>((resolve) => {
      const again = new Deadline(() => {
        calls.push('again')
        if (calls.length < 3) deadlines.set(again, deadlines.now(), 10)
        else resolve()
      })
      deadlines.set(again, deadlines.now(), 5000)
      deadlines.set(again, deadlines.now(), 10)
      deadlines.clear(cleared)
    })
    clearInterval(alive)
    expect(calls).toEqual(['again', 'again', 'again'])
  })
})
