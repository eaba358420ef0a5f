// Charts as SVG text: bars, small multiples of bars, lines over payload size, ratios around one. It knows what to
// draw, not where the figures come from. Colours are chosen for a white card, which reads on light and dark pages.

const FONT = 'ui-sans-serif, system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif'
const INK = '#0f172a'
const SOFT = '#64748b'
const GRID = '#e2e8f0'

/** The package stands out; what it is compared with is grey; the C program is the dark end of the scale. */
export const COLOURS = {
  native: '#1d4ed8',
  'native-frame': '#3b82f6',
  js: '#0d9488',
  'js-frame': '#2dd4bf',
  limit: '#334155',
  baseline: '#94a3b8',
  peer: '#cbd5e1',
}

export const colourOf = (name, kind) => COLOURS[name] ?? COLOURS[kind]

const escapeText = (text) =>
  String(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** A little wider than it is, so that nothing is cut. */
const widthOf = (text, size) => String(text).length * size * 0.6

function text(x, y, content, { size = 12, fill = INK, anchor = 'start', weight = 400 } = {}) {
  return `<text x="${round(x)}" y="${round(y)}" font-size="${size}" fill="${fill}" text-anchor="${anchor}" font-weight="${weight}">${escapeText(content)}</text>`
}

const round = (value) => Math.round(value * 10) / 10

const rect = (x, y, width, height, fill, radius = 2) =>
  `<rect x="${round(x)}" y="${round(y)}" width="${round(Math.max(width, 1))}" height="${round(height)}" rx="${radius}" fill="${fill}"/>`

const line = (x1, y1, x2, y2, stroke, width = 1, dash = '') =>
  `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${stroke}" stroke-width="${width}"${dash ? ` stroke-dasharray="${dash}"` : ''}/>`

function card(width, height, title, parts) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${round(height)}" width="${width}" height="${round(height)}" font-family='${FONT}' role="img" aria-label="${escapeText(title).replaceAll('"', '&quot;')}">
<rect width="${width}" height="${round(height)}" rx="8" fill="#ffffff"/>
${parts.join('\n')}
</svg>
`
}

const BAR = 18
const STEP = 26

/** Bars of one row at (x, y); gives the parts and the height taken. `items`: {label, colour, value, text, bold}. */
function barsAt(x, y, width, { title, items, note }) {
  const label = Math.min(width * 0.42, Math.max(...items.map((item) => widthOf(item.label, 12))) + 10)
  const figure = Math.max(...items.map((item) => widthOf(item.text, 12))) + 12
  const room = width - label - figure
  const top = Math.max(...items.map((item) => item.value || 0))
  const parts = [text(x, y + 14, title, { size: 14, weight: 600 })]
  let at = y + 26
  if (note) {
    parts.push(text(x, y + 31, note, { size: 11, fill: SOFT }))
    at += 14
  }
  for (const item of items) {
    const weight = item.bold ? 600 : 400
    parts.push(text(x + label - 8, at + 13.5, item.label, { anchor: 'end', weight }))
    const length = top > 0 ? ((item.value || 0) / top) * room : 0
    parts.push(rect(x + label, at, length, BAR, item.colour))
    parts.push(text(x + label + length + 6, at + 13.5, item.text, { weight, fill: item.value ? INK : SOFT }))
    at += STEP
  }
  return { parts, height: at - y }
}

export function bars(chart, width = 720) {
  const pad = 20
  const drawn = barsAt(pad, pad, width - 2 * pad, chart)
  return card(width, drawn.height + 2 * pad - 6, chart.title, drawn.parts)
}

/** Several rows side by side, in two columns, under a title and two lines of notes. */
export function multiples(title, notes, charts, width = 1060) {
  const pad = 24
  const gap = 36
  const column = (width - 2 * pad - gap) / 2
  const parts = [
    text(pad, pad + 16, title, { size: 18, weight: 700 }),
    ...notes.map((note, i) => text(pad, pad + 34 + 16 * i, note, { size: 12, fill: SOFT })),
  ]
  let y = pad + 58
  for (let i = 0; i < charts.length; i += 2) {
    let tallest = 0
    charts.slice(i, i + 2).forEach((chart, j) => {
      const drawn = barsAt(pad + j * (column + gap), y, column, chart)
      parts.push(...drawn.parts)
      tallest = Math.max(tallest, drawn.height)
    })
    y += tallest + 20
  }
  return card(width, y + 4, title, parts)
}

/** Labels at the right end of lines, moved apart where they would lie on each other. */
function spreadLabels(labels, gap, low, high) {
  const sorted = [...labels].sort((a, b) => a.y - b.y)
  for (let i = 1; i < sorted.length; i++) sorted[i].y = Math.max(sorted[i].y, sorted[i - 1].y + gap)
  const over = sorted.length ? sorted[sorted.length - 1].y - high : 0
  if (over > 0) {
    sorted[sorted.length - 1].y -= over
    for (let i = sorted.length - 2; i >= 0; i--) sorted[i].y = Math.min(sorted[i].y, sorted[i + 1].y - gap)
  }
  if (sorted.length && sorted[0].y < low) sorted[0].y = low
  return sorted
}

/** Powers of four, which read well as KiB, MiB and GiB. */
function ticks(low, high) {
  const found = []
  for (let value = 4 ** Math.ceil(Math.log(low) / Math.log(4)); value <= high; value *= 4) found.push(value)
  return found
}

/** `series`: {label, colour, bold, points: number[]} over `categories`; both axes logarithmic in effect. */
export function lines({ title, note, categories, series, format }, width = 860, height = 480) {
  const left = 84
  const right = 220
  const top = 72
  const bottom = height - 44
  const values = series.flatMap((one) => one.points).filter((value) => value > 0)
  const low = Math.min(...values) * 0.8
  const high = Math.max(...values) * 1.25
  const x = (i) => left + ((width - left - right) * i) / Math.max(1, categories.length - 1)
  const y = (value) => bottom - ((bottom - top) * Math.log(value / low)) / Math.log(high / low)
  const parts = [text(24, 34, title, { size: 16, weight: 700 }), text(24, 53, note, { size: 12, fill: SOFT })]
  for (const value of ticks(low, high)) {
    parts.push(line(left, y(value), width - right, y(value), GRID))
    parts.push(text(left - 10, y(value) + 4, format(value), { size: 11, fill: SOFT, anchor: 'end' }))
  }
  categories.forEach((name, i) => {
    parts.push(text(x(i), bottom + 22, name, { size: 12, fill: SOFT, anchor: 'middle' }))
  })
  const labels = []
  for (const { label, colour, bold, points } of series) {
    const known = points.map((value, i) => ({ value, i })).filter(({ value }) => value > 0)
    if (known.length < 2) continue
    const path = known.map(({ value, i }) => `${round(x(i))},${round(y(value))}`).join(' ')
    const wide = bold ? 3 : 1.75
    parts.push(
      `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="${wide}" stroke-linejoin="round"/>`,
    )
    for (const { value, i } of known)
      parts.push(
        `<circle cx="${round(x(i))}" cy="${round(y(value))}" r="${bold ? 4 : 2.5}" fill="${colour}"/>`,
      )
    const last = known[known.length - 1]
    labels.push({ label, colour, bold, y: y(last.value), from: { x: x(last.i), y: y(last.value) } })
  }
  for (const label of spreadLabels(labels, 16, top, bottom)) {
    parts.push(line(label.from.x + 5, label.from.y, width - right + 22, label.y, label.colour, 0.75))
    parts.push(
      text(width - right + 26, label.y + 4, label.label, { size: 12, weight: label.bold ? 600 : 400 }),
    )
  }
  return card(width, height, title, parts)
}

const VERDICT_COLOURS = { aim: '#15803d', floor: '#1d4ed8', short: '#c2410c' }

/** Ratios on a logarithmic scale around 1, with marks for floor and aim. `items`: {title, value, floor, aim, verdict}. */
export function ratios({ title, note, items }, width = 1060) {
  const left = 520
  const right = 70
  const top = 84
  const step = 25
  const bottom = top + items.length * step
  const all = items.flatMap((item) => [item.value, item.floor, item.aim])
  const low = Math.min(0.5, ...all) * 0.9
  const high = Math.max(2, ...all) * 1.1
  const x = (value) => left + ((width - left - right) * Math.log(value / low)) / Math.log(high / low)
  const parts = [text(24, 36, title, { size: 16, weight: 700 }), text(24, 55, note, { size: 12, fill: SOFT })]
  for (const value of [0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 50, 100].filter((one) => one >= low && one <= high)) {
    parts.push(line(x(value), top - 6, x(value), bottom, value === 1 ? SOFT : GRID, value === 1 ? 1.5 : 1))
    parts.push(text(x(value), top - 12, `${value}x`, { size: 11, fill: SOFT, anchor: 'middle' }))
  }
  items.forEach((item, i) => {
    const y = top + i * step
    const colour = VERDICT_COLOURS[item.verdict]
    const [from, to] = [x(Math.min(1, item.value)), x(Math.max(1, item.value))]
    parts.push(text(left - 12, y + 16, item.title, { size: 12, anchor: 'end' }))
    parts.push(rect(from, y + 5, to - from, 14, colour))
    parts.push(line(x(item.floor), y + 2, x(item.floor), y + 22, INK, 1.5))
    parts.push(line(x(item.aim), y + 2, x(item.aim), y + 22, INK, 1.5, '3 2'))
    const end = Math.max(x(item.value), x(item.aim), x(item.floor), x(1))
    parts.push(text(end + 8, y + 16, `${item.value.toFixed(2)}x`, { size: 12, weight: 600, fill: colour }))
  })
  const y = bottom + 24
  const legend = [
    ['aim reached', VERDICT_COLOURS.aim],
    ['floor held', VERDICT_COLOURS.floor],
    ['short of the floor', VERDICT_COLOURS.short],
  ]
  let at = left
  for (const [name, colour] of legend) {
    parts.push(rect(at, y - 10, 12, 12, colour), text(at + 17, y, name, { size: 11, fill: SOFT }))
    at += widthOf(name, 11) + 36
  }
  parts.push(
    line(at + 4, y - 11, at + 4, y + 3, INK, 1.5),
    text(at + 11, y, 'floor', { size: 11, fill: SOFT }),
  )
  parts.push(
    line(at + 52, y - 11, at + 52, y + 3, INK, 1.5, '3 2'),
    text(at + 59, y, 'aim', { size: 11, fill: SOFT }),
  )
  return card(width, y + 20, title, parts)
}
