// `--list`: every row with its parties, whatever this machine can run. Imports nothing that has to be installed or
// compiled first.
import { PARTIES } from './parties.mjs'
import { ROWS } from './rows.mjs'

export function listing() {
  const rows = ROWS.map(({ id, title, parties }) => [
    `${id.padEnd(22)} ${title}`,
    `${' '.repeat(23)}${parties.join(', ')}`,
  ])
  const parties = Object.entries(PARTIES).map(([name, { label }]) => `${name.padEnd(23)}${label}`)
  return `${[...rows.flat(), '', 'Parties', ...parties].join('\n')}\n`
}
