/** Delays between attempts to connect: they grow, stop growing, and are not the same for everybody. */
import { expect, it } from 'vitest'
import { BackOff } from '../../dist/esm/client/back-off.js'

const options = { initial: 50, max: 5000, jitter: 0.5 }
const delays = (backOff: { next(): number }, count: number) =>
  Array.from({ length: count }, () => backOff.next())

it('doubles up to the longest, and starts again after a success', () => {
  const backOff = new BackOff(options, () => 0)
  expect(delays(backOff, 9)).toEqual([50, 100, 200, 400, 800, 1600, 3200, 5000, 5000])
  expect(backOff.attempt).toBe(9)
  backOff.reset()
  expect(delays(backOff, 2)).toEqual([50, 100])
})

it('has no delay that is longer than the longest, the first one neither', () => {
  const backOff = new BackOff({ initial: 500, max: 100, jitter: 0 })
  expect(delays(backOff, 2)).toEqual([100, 100])
})

it('starts again after a connection that was there for the longest delay, and not after a shorter one', () => {
  const backOff = new BackOff(options, () => 0)
  delays(backOff, 2)
  backOff.lasted(4999)
  expect(delays(backOff, 1)).toEqual([200])
  backOff.lasted(5000)
  expect(delays(backOff, 1)).toEqual([50])
})

it('takes off a random part of at most jitter', () => {
  expect(delays(new BackOff(options, () => 1), 3)).toEqual([25, 50, 100])
  expect(delays(new BackOff({ ...options, jitter: 0 }, () => 1), 3)).toEqual([50, 100, 200])
  for (const delay of delays(new BackOff(options), 100)) expect(delay).toBeGreaterThan(0)
})

it('stays at its longest for ever', () => {
  const backOff = new BackOff(options, () => 0)
  delays(backOff, 5000)
  expect(backOff.next()).toBe(5000)
})
