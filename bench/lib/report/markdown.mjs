// The results as Markdown: the promises first, then a table a row.
import { labelOf } from '../parties.mjs'
import { besideNet } from '../ratios.mjs'
import { sizeText } from '../rows.mjs'
import { bytes, count, cpu, digits, percent, time } from './format.mjs'

const VERDICTS = { aim: 'aim reached', floor: 'floor held', short: '**short of the floor**' }

const table = (head, rows) => {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, i) => (i ? '---:' : '---'))), ...rows.map(line)].join('\n')
}

const bar = (ratio, value) => (ratio.id === 'idle-bytes' ? value.toLocaleString('en') : String(value))

export function ratioTable(ratios) {
  const rows = ratios.map((ratio) => {
    const value =
      ratio.id === 'idle-bytes' ? Math.round(ratio.value).toLocaleString('en') : digits(ratio.value)
    return [
      ratio.title,
      `**${value}**`,
      bar(ratio, ratio.floor),
      bar(ratio, ratio.aim),
      VERDICTS[ratio.verdict],
    ]
  })
  return table(['promise', 'measured', 'floor', 'aim', ''], rows)
}

/** Every row beside `node:net`, over 1 is faster. */
function besideNetTable(beside) {
  const parties = ['native', 'native-frame', 'js', 'js-frame']
  const heads = ['native, batches', 'native, a Buffer each', 'js, batches', 'js, a Buffer each']
  const rows = beside.map(({ row, ratios }) => [
    row.title,
    ...parties.map((name) => (name in ratios ? digits(ratios[name]) : '')),
  ])
  return table(['row', ...heads], rows)
}

function rowTable({ row, results }) {
  const parties = Object.keys(results)
  if (row.mode === 'idle') {
    const rows = parties.map((name) => {
      const { error, bytesPerConnection, spread } = results[name]
      return error
        ? [labelOf(row, name), `no figure: ${firstLine(error)}`, '']
        : [labelOf(row, name), bytes(bytesPerConnection), percent(spread)]
    })
    return table(['party', 'resident bytes a connection', 'spread'], rows)
  }
  const latency = parties.some((name) => 'p50' in results[name])
  const head = [
    'party',
    'frames/s',
    'payload/s',
    'spread',
    'server CPU/frame',
    ...(latency ? ['p50', 'p99', 'p99.9'] : []),
    'peak memory',
  ]
  const sorted = [...parties].sort((a, b) => (results[b].rate ?? -1) - (results[a].rate ?? -1))
  const rows = sorted.map((name) => {
    const result = results[name]
    const label = labelOf(row, name)
    if (result.error) return [label, `no figure: ${firstLine(result.error)}`, ...head.slice(2).map(() => '')]
    const times = latency ? [time(result.p50), time(result.p99), time(result.p999)] : []
    return [
      label,
      count(result.rate),
      bytes(result.bytesPerSecond),
      percent(result.spread),
      cpu(result.cpuPerFrame),
      ...times,
      bytes(result.peak),
    ]
  })
  return table(head, rows)
}

const firstLine = (text) => text.split('\n')[0].replaceAll('|', '\\|').slice(0, 120)

function memoryTables(memory) {
  const groups = Map.groupBy ? Map.groupBy(memory, key) : groupBy(memory)
  return [...groups].map(([title, results]) => {
    const rows = results.map((one) =>
      one.error
        ? [one.party, one.delivery, `no figure: ${firstLine(one.error)}`, '', '']
        : [one.party, one.delivery, count(one.rate), bytes(one.bytesPerSecond), percent(one.spread)],
    )
    return `#### ${title}\n\n${table(['party', 'delivered as', 'frames/s', 'payload/s', 'margin'], rows)}`
  })
}

const CHUNKS = { whole: 'whole', 65536: '64 KiB chunks', 1460: '1,460 B chunks', 1: 'a byte at a time' }
const key = (one) =>
  one.op === 'encode'
    ? `encode ${sizeText(one.size)}`
    : `decode ${sizeText(one.size)}, ${CHUNKS[one.chunking] ?? one.chunking}`

function groupBy(memory) {
  const groups = new Map()
  for (const one of memory) groups.set(key(one), [...(groups.get(key(one)) ?? []), one])
  return groups
}

export function markdown({ machine, method, ratios, rows, memory }) {
  const parts = ['# framewire: benchmark results', '', `\`${method.command}\`, ${machine.date}`, '']
  parts.push(
    table(
      ['', ''],
      Object.entries({ ...machine, ...method }).map(([name, value]) => [name, String(value)]),
    ),
    '',
  )
  if (ratios.length) parts.push('## Promises', '', ratioTable(ratios), '')
  const beside = besideNet(rows)
  if (beside.length) parts.push('## Beside node:net', '', besideNetTable(beside), '')
  if (rows.length) parts.push('## Over sockets', '')
  for (const one of rows) parts.push(`### ${one.row.title}`, '', rowTable(one), '')
  if (memory.length) parts.push('## In memory', '', memoryTables(memory).join('\n\n'), '')
  return parts.join('\n')
}
