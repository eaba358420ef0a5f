// The command line of `npm run bench:compare`. Imports nothing that has to be installed or compiled first.
import { parseArgs } from 'node:util'
import { UsageError } from './options.mjs'

export const HELP = `npm run bench:compare -- BASE HEAD [options]

  BASE, HEAD          revisions of git; '.' is this checkout as it is (HEAD's default)
  --filter WORD       rows whose id contains WORD (several: commas); default: the rows of the quick suite
  --parties A,B       of native, native-frame, js, js-frame (default: those of the quick suite)
  --rounds N          (5)     --seconds S  (0.4)     --place same|apart     --clock cpu|wall
`

const OPTIONS = {
  filter: { type: 'string' },
  parties: { type: 'string' },
  rounds: { type: 'string', default: '5' },
  seconds: { type: 'string', default: '0.4' },
  place: { type: 'string', default: 'same' },
  clock: { type: 'string', default: 'cpu' },
  help: { type: 'boolean', short: 'h', default: false },
}

/** @throws {UsageError} with the sentence to print. */
export function readOptions(args) {
  let parsed
  try {
    parsed = parseArgs({ args, allowPositionals: true, options: OPTIONS })
  } catch (error) {
    throw new UsageError(error.message)
  }
  const { values, positionals } = parsed
  const [base, head = '.'] = positionals
  if (!values.help && (base === undefined || positionals.length > 2))
    throw new UsageError('BASE is wanted, and HEAD may follow')
  return { ...values, base, head }
}
