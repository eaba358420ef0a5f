// Which charts a run gives, from its rows and ratios. Names here are the file names.
import { labelOf, PARTIES } from '../parties.mjs'
import { sizeText } from '../rows.mjs'
import { bytes, count } from './format.mjs'
import { bars, colourOf, lines, multiples, ratios as ratioChart } from './svg.mjs'

const OVERVIEW = ['receive-64', 'receive-1k', 'send-64', 'echo-64', 'exchange-16', 'conns-256']
const OVERVIEW_PARTIES = new Set([
  'native',
  'js',
  'js-frame',
  'net',
  'net-corked',
  'c',
  'frame-stream',
  'framed-stream',
  'length-prefixed-stream',
  'ws',
  'zeromq',
  'node-ipc',
])

function itemsOf({ row, results }, only = () => true) {
  const idle = row.mode === 'idle'
  const items = Object.entries(results)
    .filter(([name]) => only(name))
    .map(([name, result]) => {
      const { kind } = PARTIES[name]
      const label = labelOf(row, name)
      const value = idle ? result.bytesPerConnection : result.rate
      const shown = result.error ? 'no figure' : idle ? bytes(value) : `${count(value)}/s`
      return { label, colour: colourOf(name, kind), bold: kind === 'own', value, text: shown }
    })
  const order = idle ? 1 : -1
  return items.sort((a, b) => order * ((a.value ?? 0) - (b.value ?? 0)))
}

const unitOf = (row) =>
  row.mode === 'idle' ? 'resident bytes a connection, less is better' : 'frames a second, more is better'

export const rowChart = (one) => bars({ title: one.row.title, note: unitOf(one.row), items: itemsOf(one) })

const RECEIVE_SIZES = [16, 64, 1024, 16_384, 262_144]

function receiveLines(rows) {
  const own = RECEIVE_SIZES.map((size) =>
    rows.find(
      ({ row }) => row.mode === 'receive' && row.group === 'receive' && !row.tcp && row.size === size,
    ),
  ).filter(Boolean)
  if (own.length < 3) return null
  const names = Object.keys(PARTIES).filter((name) =>
    own.some(({ results }) => results[name]?.bytesPerSecond),
  )
  const series = names.map((name) => ({
    label: PARTIES[name].label,
    colour: colourOf(name, PARTIES[name].kind),
    bold: name === 'native' || name === 'js',
    points: own.map(({ results }) => results[name]?.bytesPerSecond),
  }))
  return lines({
    title: 'Receiving: payload bytes a second by payload size',
    note: 'Unix socket, generator and server as placed in this run. Both axes are logarithmic.',
    categories: own.map(({ row }) => sizeText(row.size)),
    series,
    format: (value) => `${bytes(value)}/s`,
  })
}

function overview({ machine, method, rows }) {
  const found = OVERVIEW.map((id) => rows.find(({ row }) => row.id === id)).filter(Boolean)
  if (found.length < 2) return null
  const notes = [
    `Frames a second (more is better), unix socket. ${machine.cpu}, Node ${machine.node}, ${method.place}.`,
    method.command,
  ]
  const charts = found.map((one) => ({
    title: one.row.title,
    items: itemsOf(one, (name) => OVERVIEW_PARTIES.has(name)),
  }))
  return multiples('framewire beside what one would use instead', notes, charts)
}

function ratioOverview({ ratios }) {
  const items = ratios
    .filter((ratio) => ratio.id !== 'idle-bytes')
    .map((ratio) =>
      ratio.lower ? { ...ratio, value: 1 / ratio.value, floor: 1 / ratio.floor, aim: 1 / ratio.aim } : ratio,
    )
    .map((ratio) => ({ ...ratio, title: ratio.title.replace('(lower is better)', '(as a speed)') }))
  if (items.length < 2) return null
  return ratioChart({
    title: 'The promises: how many times as fast',
    note: 'Ratios of medians of interleaved rounds in one run. One is as fast as what it is compared with.',
    items,
  })
}

/** {file name without .svg: SVG text} */
export function chartsOf(run) {
  const charts = { overview: overview(run), ratios: ratioOverview(run), receive: receiveLines(run.rows) }
  for (const one of run.rows) charts[`row-${one.row.id}`] = rowChart(one)
  return Object.fromEntries(Object.entries(charts).filter(([, svg]) => svg !== null))
}
