// What the report makes of figures.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bar, group, median, painter, perSecond, timeEach } from '../report.mjs'

const plain = painter({ isTTY: false }, {})

test('the median of rounds is the one in the middle, or between the two there', () => {
  assert.equal(median([3, 1, 2]), 2)
  assert.equal(median([4, 1, 2, 3]), 2.5)
})

test('figures have a unit that fits them', () => {
  assert.equal(perSecond(12_345), '12.3 k/s')
  assert.equal(perSecond(1_234_567), '1.23 M/s')
  assert.equal(perSecond(12_345_678), '12.3 M/s')
  assert.equal(timeEach(12.34e-9), '12.3 ns')
  assert.equal(timeEach(12.34e-6), '12.3 us')
})

test('a bar is never longer than its room, and never nothing', () => {
  assert.equal(bar(1, 4), '████')
  assert.equal(bar(0.5, 4), '██')
  assert.equal(bar(0, 4), '▏')
})

test('rows are compared with the first: how many times its rate, how many times less processor time', () => {
  const row = (label, rate, cpu, ours) => ({ label, ours, samples: [{ rate, cpu }] })
  const rows = [row('theirs', 1000, 8e-6), row('ours', 3000, 2e-6, true)]
  const [heading, theirs, ours] = group({ title: 'Work', note: 'a note', rows }, plain)
  assert.match(heading, /^Work .* a note +server CPU each$/)
  assert.match(theirs, /theirs .* 1\.0 k\/s +8\.0 us$/)
  assert.match(ours, /ours .* 3\.0 k\/s +3\.00x +2\.0 us +4\.00x$/)
})

test('colours are for terminals, and for who asks for them', () => {
  assert.equal(plain.green('x'), 'x')
  assert.equal(painter({ isTTY: true }, {}).green('x'), '\u001b[32mx\u001b[0m')
  assert.equal(painter({ isTTY: true }, { NO_COLOR: '1' }).green('x'), 'x')
  assert.equal(painter({ isTTY: false }, { FORCE_COLOR: '1' }).green('x'), '\u001b[32mx\u001b[0m')
})
