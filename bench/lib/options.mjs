// The command line of the suite: what may be asked for, and the defaults of the full and of the quick run.
import { parseArgs } from 'node:util'
import { PARTIES } from './parties.mjs'

export const HELP = `npm run bench -- [options]

  --quick             the short suite: two minutes in all
  --filter WORD       the row with that id, or rows whose id or title contains WORD (several: separate by
                      commas); 'memory' is the suite in memory
  --parties A,B       these parties alone: ${Object.keys(PARTIES).join(', ')}
  --rounds N          rounds of every row (full 5, quick 2)
  --seconds S         length of one measurement (full 0.6, quick 0.25)
  --connections N     open connections of the idle row (10000)
  --place same|apart  generator and server on one core (default) or on two (Linux with taskset)
  --clock wall|cpu    frames a second by the clock (default), or a second of CPU time of generator and server
                      together: what one core makes of it, also on a machine that is busy with something else
  --json FILE         results as JSON; with --format github-action-benchmark in the form that action reads
  --format NAME       'plain' (default) or 'github-action-benchmark'; without --json it goes to stdout
  --gate              hold the ratios of --gates, exit 1 with the rows that fell short
  --gates FILE        (bench/gates.json)
  --out FOLDER        where tables and charts go (bench/results/latest)
  --list              rows and parties, then end
  --help

Examples
  npm run bench -- --quick
  npm run bench -- --filter receive-64 --parties net,native,c --rounds 9
  npm run bench -- --quick --gate --json results.json
`

const OPTIONS = {
  quick: { type: 'boolean', default: false },
  filter: { type: 'string' },
  parties: { type: 'string' },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  connections: { type: 'string' },
  place: { type: 'string', default: 'same' },
  clock: { type: 'string', default: 'wall' },
  json: { type: 'string' },
  format: { type: 'string', default: 'plain' },
  gate: { type: 'boolean', default: false },
  gates: { type: 'string' },
  out: { type: 'string' },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
}

export class UsageError extends Error {}

function positive(name, text, fallback) {
  if (text === undefined) return fallback
  const value = Number(text)
  if (!(value > 0)) throw new UsageError(`--${name} wants a number over 0, not ${text}`)
  return value
}

function oneOf(name, value, choices) {
  if (!choices.includes(value))
    throw new UsageError(`--${name} is one of ${choices.join(', ')}, not ${value}`)
  return value
}

function partyNames(text) {
  if (text === undefined) return undefined
  const names = text.split(',').map((name) => name.trim())
  for (const name of names) oneOf('parties', name, Object.keys(PARTIES))
  return names
}

/** @throws {UsageError} with the sentence to print. */
export function readOptions(args) {
  let values
  try {
    values = parseArgs({ args, options: OPTIONS }).values
  } catch (error) {
    throw new UsageError(error.message)
  }
  const { quick } = values
  return {
    ...values,
    filter: values.filter?.split(',').map((word) => word.trim().toLowerCase()),
    parties: partyNames(values.parties),
    rounds: Math.ceil(positive('rounds', values.rounds, quick ? 2 : 5)),
    seconds: positive('seconds', values.seconds, quick ? 0.25 : 0.6),
    warmSeconds: quick ? 0.15 : 0.3,
    connections: Math.ceil(positive('connections', values.connections, 10_000)),
    place: oneOf('place', values.place, ['same', 'apart']),
    clock: oneOf('clock', values.clock, ['wall', 'cpu']),
    format: oneOf('format', values.format, ['plain', 'github-action-benchmark']),
    keep: quick,
    budgetSeconds: quick && values.rounds === undefined ? 108 : undefined,
  }
}
