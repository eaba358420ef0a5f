/** Replies leave in the order their places were taken. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ReplyQueue } from '../../dist/esm/server/reply-queue.js'

it('delivers in order, whatever order replies are ready in', () => {
  const order = fc.integer({ min: 1, max: 200 }).chain((count) =>
    fc.shuffledSubarray(
      Array.from({ length: count }, (_, i) => i),
      { minLength: count, maxLength: count },
    ),
  )
  fc.assert(
    fc.property(order, fc.integer({ min: 1, max: 20 }), (ready, atATime) => {
      const delivered: number[] = []
      const queue = new ReplyQueue((reply: number) => delivered.push(reply))
      let taken = 0
      const settledEarly = new Set<number>()
      for (const place of ready) {
        while (taken < ready.length && (taken <= place || queue.outstanding < atATime))
          expect(queue.reserve()).toBe(taken++)
        queue.settle(place, place * 10)
        settledEarly.add(place)
        let expected = 0
        while (settledEarly.has(expected)) expected++
        expect(delivered.length).toBe(expected)
      }
      expect(queue.outstanding).toBe(0)
      expect(delivered).toEqual(ready.map((_, i) => i * 10))
    }),
  )
})

it('takes undefined for a reply', () => {
  const delivered: unknown[] = []
  const queue = new ReplyQueue((reply: unknown) => delivered.push(reply))
  const [first, second] = [queue.reserve(), queue.reserve()]
  queue.settle(second, 'second')
  expect(delivered).toEqual([])
  queue.settle(first, undefined)
  expect(delivered).toEqual([undefined, 'second'])
})

it('forgets what was outstanding when it is cleared, even from inside a delivery', () => {
  const delivered: unknown[] = []
  const queue = new ReplyQueue((reply: string) => {
    delivered.push(reply)
    if (reply === 'last') queue.clear()
  })
  const places = [queue.reserve(), queue.reserve(), queue.reserve()]
  queue.settle(places[1], 'never')
  queue.settle(places[0], 'last')
  queue.settle(places[2], 'never')
  expect([delivered, queue.outstanding]).toEqual([['last'], 0])
  const next = queue.reserve()
  queue.settle(next, 'next')
  expect(delivered).toEqual(['last', 'next'])
})
