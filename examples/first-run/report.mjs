// Turns figures into lines for a terminal. Knows columns and colours, nothing of servers.
const LABEL = 32
const BAR = 26

export function painter(stream, env = process.env) {
  const on = env.NO_COLOR ? false : Boolean(env.FORCE_COLOR) || stream.isTTY
  const paint = (code) => (text) => (on ? `\u001b[${code}m${text}\u001b[0m` : text)
  return { bold: paint(1), dim: paint(2), green: paint(32), cyan: paint(36), yellow: paint(33) }
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

export function bar(share, width = BAR) {
  const eighths = Math.max(1, Math.round(share * width * 8))
  return '█'.repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8]
}

export function perSecond(rate) {
  if (rate >= 1e6) return `${(rate / 1e6).toFixed(rate >= 1e7 ? 1 : 2)} M/s`
  return `${(rate / 1e3).toFixed(1)} k/s`
}

/** Processor time for one. */
export function timeEach(seconds) {
  const ns = seconds * 1e9
  return ns >= 1000 ? `${(ns / 1000).toFixed(1)} us` : `${ns.toFixed(1)} ns`
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

const times = (ratio) => `${ratio.toFixed(ratio >= 10 ? 1 : 2)}x`

/**
 * One group of bars: `rows` of `{label, samples, ours}`, a sample is `{rate, cpu}`. The first row is what the others are
 * compared with: how many times its rate, how many times less processor time.
 */
export function group({ title, note, rows }, paint) {
  const rates = rows.map((row) => median(row.samples.map((sample) => sample.rate)))
  const costs = rows.map((row) => median(row.samples.map((sample) => sample.cpu)))
  const top = Math.max(...rates)
  const heading = title.padEnd(LABEL + BAR + 3)
  const lines = [`${paint.bold(heading)} ${paint.dim(note.padStart(18) + 'server CPU each'.padStart(19))}`]
  rows.forEach((row, i) => {
    const ours = row.ours ? paint.green : (text) => text
    const drawn = (row.ours ? paint.green : paint.dim)(bar(rates[i] / top).padEnd(BAR))
    const label = row.label.padEnd(LABEL)
    const rate = perSecond(rates[i]).padStart(10)
    const faster = ours((i === 0 ? '' : times(rates[i] / rates[0])).padStart(8))
    const cost = timeEach(costs[i]).padStart(11)
    const cheaper = ours((i === 0 ? '' : times(costs[0] / costs[i])).padStart(8))
    lines.push(
      `  ${row.ours ? paint.bold(label) : label} ${drawn} ${rate}${faster}${cost}${cheaper}`.trimEnd(),
    )
  })
  return lines
}

/** A bar that moves on a terminal; elsewhere a plain line a step. Both on `stream`, so that results stay apart. */
export function progress(stream, steps, paint) {
  let done = 0
  return {
    step(what) {
      const share = done / steps
      done++
      if (!stream.isTTY) return stream.write(`${String(done).padStart(2)}/${steps} ${what}\n`)
      const rest = '·'.repeat(30 - Math.floor(share * 30))
      stream.write(`\r\u001b[K${paint.green('█'.repeat(Math.floor(share * 30)))}${paint.dim(rest)} ${what}`)
    },
    end() {
      if (stream.isTTY) stream.write('\r\u001b[K')
    },
  }
}
