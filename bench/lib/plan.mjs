// Which rows and parties a run measures: the suite asked for, cut down to what was named and to what this machine
// can do (no C program without a compiler, no native backend without its addon).
import { hasC } from './parties.mjs'
import { ROWS } from './rows.mjs'

/** A whole id names that row alone; any other word every row whose id, title or group contains it. */
function matches(row, words) {
  const text = `${row.id} ${row.title} ${row.group}`.toLowerCase()
  return words.some((word) => (ROWS.some(({ id }) => id === word) ? row.id === word : text.includes(word)))
}

/** A row that is named is measured in the short suite too. Without its addon the package shows its other backend. */
function quickParties(row, filter, native) {
  if (!row.quick) return filter ? row.parties : []
  return native ? row.quick : [...new Set(row.quick.map((name) => name.replace(/^native/, 'js')))]
}

/** @returns {{rows: {row: object, parties: string[]}[], memory: boolean}} */
export function planOf({ quick, filter, parties }, { native }) {
  const rows = []
  for (const row of ROWS) {
    if (filter && !matches(row, filter)) continue
    const offered = quick ? quickParties(row, filter, native) : row.parties
    const chosen = offered
      .filter((name) => !parties || parties.includes(name))
      .filter((name) => name !== 'c' || hasC())
      .filter((name) => !name.startsWith('native') || native)
      .filter((name) => hasC() || jsCanDrive(row, name))
    if (chosen.length) rows.push({ row, parties: chosen })
  }
  const memory = !parties && (!filter || filter.some((word) => 'memory decode encode'.includes(word)))
  return { rows, memory }
}

/** The generator in JavaScript speaks 4-byte big-endian lengths, and keeps to sizes it can make quickly. */
const jsCanDrive = (row, name) =>
  row.group !== 'linear' && !['length-prefixed-stream', 'framed-stream', 'it-length-prefixed'].includes(name)
