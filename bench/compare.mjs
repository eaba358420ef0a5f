// Two revisions side by side: builds both in temporary work trees, then measures the package's own parties of each,
// interleaved round by round, and prints head over base. It changes nothing in this checkout.
import { readOptions } from './lib/compare-options.mjs'
import { placement } from './lib/place.mjs'
import { digits } from './lib/report/format.mjs'
import { build } from './lib/revision.mjs'
import { ROWS } from './lib/rows.mjs'
import { figureOf, Schedule } from './lib/schedule.mjs'

const OWN = ['native', 'native-frame', 'js', 'js-frame']

const values = readOptions(process.argv.slice(2))

const log = (text) => process.stderr.write(`${text}\n`)

function plan(native) {
  const words = values.filter?.split(',')
  const named = values.parties?.split(',')
  const rows = ROWS.filter((row) => (words ? words.some((word) => row.id.includes(word)) : row.quick))
  return rows
    .map((row) => {
      const offered = words || named ? row.parties : row.quick
      const parties = offered.filter((name) => OWN.includes(name) && (!named || named.includes(name)))
      return { row, parties: parties.filter((name) => native || !name.startsWith('native')) }
    })
    .filter(({ parties }) => parties.length > 0)
}

async function measure(base, head, rows) {
  const entries = { base: base.entry, head: head.entry }
  const schedule = new Schedule({
    place: placement(values.place),
    clock: values.clock,
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
    warmSeconds: 0.2,
    keep: false,
    connections: 10_000,
    env: (name) => ({ FRAMEWIRE_BENCH_PACKAGE: entries[name.split('@')[1]] }),
  })
  let failed = 0
  process.stdout.write(
    `| row | party | ${base.name} | ${head.name} | head over base | spread |\n| --- | --- | ---: | ---: | ---: | ---: |\n`,
  )
  try {
    for (const { row, parties } of rows) {
      const both = parties.flatMap((name) => [`${name}@base`, `${name}@head`])
      const results = await schedule.row(row, both, () => {})
      for (const name of parties) failed += print(row, name, results[`${name}@base`], results[`${name}@head`])
    }
  } finally {
    schedule.close()
  }
  return failed
}

/** One line; 1 when a side has no figure. */
function print(row, name, base, head) {
  if (base.error || head.error) {
    process.stdout.write(`| ${row.title} | ${name} | ${base.error ?? ''} | ${head.error ?? ''} | | |\n`)
    return 1
  }
  const figure = figureOf(row)
  const spread = `±${(Math.max(base.spread, head.spread) * 100).toFixed(1)}%`
  const ratio = (head[figure] / base[figure]).toFixed(3)
  process.stdout.write(
    `| ${row.title} | ${name} | ${digits(base[figure])} | ${digits(head[figure])} | **${ratio}** | ${spread} |\n`,
  )
  return 0
}

async function main() {
  const base = build(values.base, log)
  try {
    const head = build(values.head, log)
    try {
      const failed = await measure(base, head, plan(base.native && head.native))
      if (failed) process.exitCode = 1
    } finally {
      head.remove()
    }
  } finally {
    base.remove()
  }
}

await main()
