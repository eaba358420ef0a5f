// What a terminal shows, as an SVG. Knows the few colours our own output uses; blocks become rectangles, so that bars have
// no seams in any font.
const CELL = 8.4
const LINE = 20
const PAD = 20
const TOP = 44
const COLOURS = { 31: '#ff7b72', 32: '#3fb950', 33: '#d29922', 34: '#58a6ff', 36: '#39c5cf' }
const PLAIN = '#e6edf3'
const DIM = '#8b949e'
const EIGHTHS = '▏▎▍▌▋▊▉█'
const MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"

const escaped = (text) => text.replace(/[&<>]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c])
// CJK characters are two cells wide.
const cells = (text) =>
  [...text].reduce(
    (n, c) => n + (/[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uff00-\uff60]/.test(c) ? 2 : 1),
    0,
  )

/** A line as runs of one style. */
function runs(line) {
  const out = []
  let style = { colour: PLAIN, bold: false }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what this reads.
  for (const part of line.split(/(\u001b\[[\d;]*m)/)) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
    const code = /^\u001b\[([\d;]*)m$/.exec(part)?.[1]
    if (code === undefined) {
      if (part) out.push({ ...style, text: part })
    } else if (code === '0' || code === '') style = { colour: PLAIN, bold: false }
    else if (code === '1') style = { ...style, bold: true }
    else if (code === '2') style = { ...style, colour: DIM }
    else style = { ...style, colour: COLOURS[code] ?? style.colour }
  }
  return out
}

function drawText({ text, colour, bold }, x, y) {
  if (!text.trim()) return ''
  const weight = bold ? ' font-weight="700"' : ''
  const width = (cells(text) * CELL).toFixed(1)
  return `<text x="${x.toFixed(1)}" y="${y}" fill="${colour}"${weight} textLength="${width}" xml:space="preserve">${escaped(text)}</text>`
}

function drawLine(line, y) {
  let column = 0
  let svg = ''
  for (const run of runs(line)) {
    for (const piece of run.text.split(/([▏▎▍▌▋▊▉█]+)/)) {
      const x = PAD + column * CELL
      if (EIGHTHS.includes(piece[0])) {
        const eighths = [...piece].reduce((sum, c) => sum + EIGHTHS.indexOf(c) + 1, 0)
        const width = ((eighths / 8) * CELL).toFixed(1)
        svg += `<rect x="${x.toFixed(1)}" y="${y - 13}" width="${width}" height="15" rx="2" fill="${run.colour}"/>`
      } else {
        // Each word where its column is, so that a wider or narrower font shifts nothing.
        svg += drawText({ ...run, text: piece.trimEnd() }, x, y)
      }
      column += cells(piece)
    }
  }
  return svg
}

const plain = (line) =>
  runs(line)
    .map((run) => run.text)
    .join('')

/** `output` as it came from a program, escape sequences and all. */
export function terminalSvg(output, title) {
  const lines = output.replace(/^\n+|\n+$/g, '').split('\n')
  const widest = Math.max(cells(title) + 12, ...lines.map((line) => cells(plain(line))))
  const width = Math.ceil(widest * CELL + 2 * PAD)
  const height = TOP + lines.length * LINE + PAD
  const dots = ['#ff5f57', '#febc2e', '#28c840'].map(
    (c, i) => `<circle cx="${PAD + i * 18}" cy="20" r="5.5" fill="${c}"/>`,
  )
  const drawn = lines.map((line, i) => drawLine(line, TOP + 16 + i * LINE)).filter(Boolean)
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">
<rect width="${width}" height="${height}" rx="10" fill="#0d1117"/>
${dots.join('')}
<text x="${width / 2}" y="24" fill="${DIM}" text-anchor="middle" font-family="${MONO}" font-size="13">${escaped(title)}</text>
<g font-family="${MONO}" font-size="14">
${drawn.join('\n')}
</g>
</svg>
`
}
