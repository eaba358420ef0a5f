// The suite: reads what is asked for, measures it, writes the reports, holds the gates. What each part does is said
// in lib/.
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { backendInfo } from '../dist/esm/index.js'
import { machine } from './lib/machine.mjs'
import { HELP, readOptions, UsageError } from './lib/options.mjs'
import { hasC } from './lib/parties.mjs'
import { placement } from './lib/place.mjs'
import { planOf } from './lib/plan.mjs'
import { Progress } from './lib/progress.mjs'
import { gateFailures, RATIOS, ratiosOf } from './lib/ratios.mjs'
import { chartsOf } from './lib/report/charts.mjs'
import { bytes, count, percent } from './lib/report/format.mjs'
import { html } from './lib/report/html.mjs'
import { githubActionBenchmark, plain } from './lib/report/json.mjs'
import { markdown, ratioTable } from './lib/report/markdown.mjs'
import { figureOf, roundsOf, Schedule } from './lib/schedule.mjs'

const here = (relative) => fileURLToPath(new URL(relative, import.meta.url))

/** Seconds a round of a row takes, roughly: for the bar and its time left. */
function roundSeconds(row, options) {
  if (row.mode === 'idle') return 2.5
  return options.seconds + (options.keep ? 0.25 : 0.45 + options.warmSeconds)
}

function memoryTasks(options) {
  return options.quick
    ? ['--sizes', '64,16384', '--chunks', '65536', '--ms', '50']
    : ['--sizes', '16,64,1024,16384,262144,1048576', '--chunks', 'whole,65536,1460,1', '--ms', '100']
}

/** The suite in memory, in a process of its own. */
async function runMemory(options, progress, place, share) {
  const command = [...place.server, process.execPath, here('memory.mjs'), ...memoryTasks(options)]
  const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((resolve, reject) => child.once('close', resolve).once('error', reject))
  const results = []
  let tasks = 1
  for await (const line of createInterface({ input: child.stdout })) {
    const result = JSON.parse(line)
    if (result.tasks) {
      tasks = result.tasks
      continue
    }
    results.push(result)
    progress.step(share / tasks, `in memory: ${result.op} ${result.size} B, ${result.party}`)
  }
  const code = await ended
  if (code !== 0) throw new Error(`the suite in memory ended with ${code}`)
  progress.line(`in memory: ${results.length} tasks`)
  return results
}

/** As it can be given again: where files go to says nothing of what was measured. */
function commandOf(args) {
  const said = args.filter((arg, i) => {
    const named = (one) => /^--(json|out|gates)$/.test(one ?? '')
    return !named(arg) && !named(args[i - 1]) && !/^--(json|out|gates)=/.test(arg)
  })
  return ['npm run bench', ...(said.length ? ['--', ...said] : [])].join(' ')
}

function rowLine({ row, results }) {
  const parts = Object.entries(results).map(([name, one]) => {
    if (one.error) return `${name} no figure (${one.error.split('\n')[0].slice(0, 160)})`
    const value = one[figureOf(row)]
    return `${name} ${row.mode === 'idle' ? bytes(value) : `${count(value)}/s`} ${percent(one.spread)}`
  })
  return `${row.id}: ${parts.join(', ')}`
}

/** Seconds of plan that a row stands for. */
const shareOf = ({ row, parties }, options, rounds = roundsOf(row, options)) =>
  parties.length * rounds * roundSeconds(row, options)

const shareOfAll = (entries, options, rounds) =>
  entries.reduce((sum, one) => sum + shareOf(one, options, rounds), 0)

/** Rows that take turns are measured together. */
function turnsOf(rows) {
  const turns = new Map()
  for (const one of rows) {
    const key = one.row.together ?? one.row.id
    turns.set(key, [...(turns.get(key) ?? []), one])
  }
  return [...turns.values()]
}

/** The short suite keeps its time on a slow or busy machine too: rows that are behind get one round. */
function roundsLeft(turns, i, options, started) {
  const rounds = roundsOf(turns[i][0].row, options)
  if (!options.budgetSeconds || rounds === 1) return rounds
  const left = options.budgetSeconds - (performance.now() - started) / 1000
  const rest = shareOfAll(turns.slice(i).flat(), options, 1)
  return rest + shareOfAll(turns[i], options, rounds - 1) > left ? 1 : rounds
}

async function runRows(plan, options, progress, place, started) {
  const schedule = new Schedule({ ...options, place })
  const rows = []
  try {
    const turns = turnsOf(plan.rows)
    for (const [i, entries] of turns.entries()) {
      const rounds = roundsLeft(turns, i, options, started)
      const share = roundsOf(entries[0].row, options) / rounds
      const onRound = (row, name, error) => {
        const seconds = share * roundSeconds(row, options)
        progress.step(error ? seconds * rounds : seconds, `${row.id}, ${name}`)
      }
      const found = await schedule.rows(entries, onRound, rounds)
      for (const [k, { row }] of entries.entries()) {
        rows.push({ row, results: found[k] })
        progress.line(rowLine(rows.at(-1)))
      }
    }
  } finally {
    schedule.close()
  }
  return rows
}

function write(run, options) {
  const out = options.out ?? here('results/latest')
  // Charts of rows that an earlier run had and this one has not would be taken for this one's.
  if (!options.out) rmSync(out, { recursive: true, force: true })
  mkdirSync(out, { recursive: true })
  const charts = chartsOf(run)
  for (const [name, svg] of Object.entries(charts)) writeFileSync(join(out, `${name}.svg`), svg)
  writeFileSync(join(out, 'results.md'), markdown(run))
  writeFileSync(join(out, 'index.html'), html(run, charts))
  writeFileSync(join(out, 'results.json'), `${JSON.stringify(plain(run), null, 1)}\n`)
  const shaped = options.format === 'github-action-benchmark' ? githubActionBenchmark(run) : plain(run)
  if (options.json) writeFileSync(options.json, `${JSON.stringify(shaped, null, 1)}\n`)
  return { out, shaped }
}

function printSummary(run, options, { out, shaped }) {
  if (options.format !== 'plain' && !options.json) {
    process.stdout.write(`${JSON.stringify(shaped, null, 1)}\n`)
    return
  }
  const lines = [`${run.machine.package}, Node ${run.machine.node}, ${run.machine.cpu}, ${run.method.place}`]
  if (run.ratios.length) lines.push('', ratioTable(run.ratios))
  const failed = run.rows.flatMap(({ row, results }) =>
    Object.entries(results)
      .filter(([, one]) => one.error)
      .map(([name, one]) => `${row.id}, ${name}: ${one.error}`),
  )
  if (failed.length)
    lines.push('', 'Without a figure, because a check failed:', ...failed.map((text) => `  ${text}`))
  lines.push('', `Tables, charts and a page with everything: ${out}`, '')
  process.stdout.write(lines.join('\n'))
}

/** Exit code 1 and the names of the rows that fell short. */
function holdGates(run, options, plan) {
  const gates = JSON.parse(readFileSync(options.gates ?? here('gates.json'), 'utf8'))
  const planned = new Set(plan.rows.flatMap(({ row, parties }) => parties.map((name) => `${row.id}/${name}`)))
  const measured = (id) => {
    const ratio = RATIOS.find((one) => one.id === id)
    if (!ratio) return true
    const parts = [ratio.above, ratio.below].filter(Boolean)
    return parts.every(({ row, party }) => [party].flat().some((name) => planned.has(`${row}/${name}`)))
  }
  const failures = gateFailures(gates, run.ratios, measured)
  const held =
    Object.keys(gates).filter((id) => run.ratios.some((ratio) => ratio.id === id)).length - failures.length
  if (failures.length === 0) process.stderr.write(`gates: ${held} held\n`)
  for (const failure of failures) process.stderr.write(`gate fell short: ${failure}\n`)
  return failures.length ? 1 : 0
}

async function main(args) {
  const options = readOptions(args)
  const backend = backendInfo()
  const place = placement(options.place)
  const plan = planOf(options, { native: backend.backend === 'native' })
  if (plan.rows.length === 0 && !plan.memory) throw new UsageError('no row and no party is left to measure')
  const generator = hasC()
    ? 'C (bench/c/loadgen)'
    : "the package's own client: there is no C compiler here, or bench/c was not built"
  process.stderr.write(
    `backend ${backend.backend} (${backend.reason}); generator: ${generator}; cores: ${place.place}\n`,
  )

  const memoryShare = plan.memory ? (options.quick ? 14 : 135) : 0
  const rowsShare = plan.rows.reduce((sum, one) => sum + shareOf(one, options), 0)
  const progress = new Progress(memoryShare + rowsShare)
  const started = performance.now()
  const memory = plan.memory ? await runMemory(options, progress, place, memoryShare) : []
  const rows = await runRows(plan, options, progress, place, started)
  progress.stop()

  const results = Object.fromEntries(rows.map(({ row, results: one }) => [row.id, one]))
  const method = {
    command: commandOf(args),
    generator,
    place:
      { same: 'generator and server on one core', apart: 'generator and server on a core each' }[
        place.place
      ] ?? place.place,
    clock: options.clock === 'cpu' ? 'a second is one of CPU time of generator and server together' : 'wall',
    rounds: `${options.rounds} of ${options.seconds} s, ${options.keep ? 'one process a row' : 'a new process each'}, interleaved, order alternating`,
    took: `${Math.round((performance.now() - started) / 1000)} s`,
  }
  const run = { machine: machine(backend), method, ratios: ratiosOf(results), rows, memory }
  printSummary(run, options, write(run, options))
  if (options.gate) process.exitCode = holdGates(run, options, plan)
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`${error.message}\n\n${HELP}`)
  process.exitCode = 2
}
