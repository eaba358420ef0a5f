// One page that holds everything: charts inline, tables, machine and method. It loads nothing.

import { labelOf, PARTIES } from '../parties.mjs'
import { bytes, count, cpu, digits, percent, time } from './format.mjs'

const escapeText = (value) =>
  String(value).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

const STYLE = `
:root { color-scheme: light dark; --ink: #0f172a; --soft: #64748b; --page: #f8fafc; --card: #fff; --rule: #e2e8f0 }
@media (prefers-color-scheme: dark) { :root { --ink: #e2e8f0; --soft: #94a3b8; --page: #0b1120; --card: #111827; --rule: #334155 } }
body { margin: 0 auto; max-width: 1100px; padding: 32px 20px 80px; background: var(--page); color: var(--ink);
  font: 15px/1.5 ui-sans-serif, system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif }
h1 { font-size: 28px; margin: 0 } h2 { margin: 48px 0 12px } h3 { margin: 32px 0 8px; font-size: 16px }
p.soft, dt { color: var(--soft) } dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; font-size: 14px } dd { margin: 0 }
svg { max-width: 100%; height: auto; border: 1px solid var(--rule); border-radius: 8px; margin: 8px 0 }
.table { overflow-x: auto } table { border-collapse: collapse; font-size: 13.5px; width: 100%; background: var(--card) }
th, td { text-align: right; padding: 5px 10px; border-bottom: 1px solid var(--rule); white-space: nowrap; font-variant-numeric: tabular-nums }
th:first-child, td:first-child { text-align: left; white-space: normal } tr.own td:first-child { font-weight: 600 }
.aim { color: #15803d; font-weight: 600 } .floor { color: #2563eb; font-weight: 600 } .short { color: #c2410c; font-weight: 600 }
details { margin: 6px 0 } summary { cursor: pointer; color: var(--soft) }
`

function table(head, rows) {
  const cells = (tag, values) => values.map((value) => `<${tag}>${value}</${tag}>`).join('')
  const body = rows
    .map(({ kind, cells: values }) => `<tr class="${kind}">${cells('td', values)}</tr>`)
    .join('\n')
  return `<div class="table"><table><thead><tr>${cells('th', head)}</tr></thead><tbody>\n${body}\n</tbody></table></div>`
}

const VERDICTS = { aim: 'aim reached', floor: 'floor held', short: 'short of the floor' }

const ratioTable = (ratios) =>
  table(
    ['promise', 'measured', 'floor', 'aim', ''],
    ratios.map((one) => ({
      kind: '',
      cells: [
        escapeText(one.title),
        one.id === 'idle-bytes' ? Math.round(one.value) : digits(one.value),
        one.floor,
        one.aim,
        `<span class="${one.verdict}">${VERDICTS[one.verdict]}</span>`,
      ],
    })),
  )

function rowTable({ row, results }) {
  const idle = row.mode === 'idle'
  const head = idle
    ? ['party', 'resident bytes a connection', 'spread', 'peak memory']
    : ['party', 'frames/s', 'payload/s', 'spread', 'server CPU/frame', 'p50', 'p99', 'p99.9', 'peak memory']
  const rows = Object.entries(results).map(([name, one]) => {
    const { kind } = PARTIES[name]
    const label = labelOf(row, name)
    if (one.error) return { kind, cells: [label, `no figure: ${escapeText(one.error.split('\n')[0])}`] }
    const figures = idle
      ? [bytes(one.bytesPerConnection), percent(one.spread), bytes(one.peak)]
      : [
          count(one.rate),
          bytes(one.bytesPerSecond),
          percent(one.spread),
          cpu(one.cpuPerFrame),
          time(one.p50),
          time(one.p99),
          time(one.p999),
          bytes(one.peak),
        ]
    return { kind, cells: [label, ...figures] }
  })
  return table(head, rows)
}

function memorySection(memory) {
  const rows = memory.map((one) => ({
    kind: one.party.startsWith('framewire') ? 'own' : 'peer',
    cells: [
      escapeText(one.party),
      one.op,
      bytes(one.size),
      one.chunking,
      one.delivery,
      one.error ? escapeText(one.error) : count(one.rate),
      bytes(one.bytesPerSecond),
      percent(one.spread),
    ],
  }))
  return table(['party', '', 'payload', 'chunks', 'delivered as', 'frames/s', 'payload/s', 'margin'], rows)
}

export function html({ machine, method, ratios, rows, memory }, charts) {
  const facts = Object.entries({ ...machine, ...method })
    .map(([name, value]) => `<dt>${escapeText(name)}</dt><dd>${escapeText(value)}</dd>`)
    .join('\n')
  const sections = rows.map(
    (one) =>
      `<h3 id="${one.row.id}">${escapeText(one.row.title)}</h3>\n${charts[`row-${one.row.id}`]}\n<details><summary>figures</summary>${rowTable(one)}</details>`,
  )
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>framewire: benchmark results</title><style>${STYLE}</style></head><body>
<h1>framewire: benchmark results</h1>
<p class="soft">${escapeText(machine.package)}, ${escapeText(machine.date)} UTC. A party whose counts, bytes or echoed content were not right has no figure.</p>
<dl>${facts}</dl>
${['overview', 'ratios', 'receive'].map((name) => charts[name] ?? '').join('\n')}
${ratios.length ? `<h2>Promises</h2>\n${ratioTable(ratios)}` : ''}
${rows.length ? `<h2>Over sockets</h2>\n${sections.join('\n')}` : ''}
${memory.length ? `<h2>In memory</h2>\n${memorySection(memory)}` : ''}
</body></html>
`
}
