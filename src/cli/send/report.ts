/** How `send` shows what came back: replies, and the figures of a load test. Knows results, not how they came about. */
import type { Terminal } from '../terminal.js'
import type { LoadResult } from './load.js'

export type Printing = 'text' | 'raw' | 'hex' | 'none'

export interface Reply {
  readonly payload: Buffer
  readonly ms: number
}

export function printReply({ payload, ms }: Reply, how: Printing, json: boolean, terminal: Terminal): void {
  if (json) terminal.json({ ok: true, bytes: payload.length, ms: round(ms), ...jsonPayload(payload) })
  else if (how === 'raw') terminal.bytes(payload)
  else if (how === 'hex') terminal.line(payload.toString('hex'))
  else if (how === 'text') terminal.line(payload.toString())
}

/** Text where the bytes are UTF-8, else base64. */
function jsonPayload(payload: Buffer): { reply: string } | { base64: string } {
  const text = payload.toString()
  return Buffer.from(text).equals(payload) ? { reply: text } : { base64: payload.toString('base64') }
}

const QUANTILES = [0.5, 0.9, 0.99, 0.999] as const

export function loadAsJson(result: LoadResult): object {
  const { latency, seconds, replies, replyBytes, failures, neverWritten } = result
  const quantiles = QUANTILES.map((share) => [quantileName(share), Math.round(latency.quantile(share))])
  return {
    ok: failures.size === 0,
    replies,
    replyBytes,
    failed: Object.fromEntries(failures),
    neverWritten,
    seconds: round(seconds),
    perSecond: Math.round(replies / seconds),
    latencyMicros: {
      min: Math.round(latency.min),
      mean: Math.round(latency.mean),
      ...Object.fromEntries(quantiles),
      max: Math.round(latency.max),
    },
  }
}

export function printLoad(result: LoadResult, terminal: Terminal): void {
  const { latency, seconds, replies, failures, neverWritten } = result
  terminal.line(
    `${replies} replies in ${seconds.toFixed(2)} s, ${terminal.style('bold', `${Math.round(replies / seconds)}/s`)}`,
  )
  for (const [code, count] of failures) terminal.line(terminal.style('red', `${count} failed: ${code}`))
  if (failures.size > 0) terminal.line(`${neverWritten} of those were never written`)
  if (replies === 0) return
  const facts = [
    ['min', latency.min],
    ...QUANTILES.map((share) => [quantileName(share), latency.quantile(share)] as const),
    ['max', latency.max],
  ] as const
  terminal.line('')
  terminal.line(facts.map(([name]) => name.padStart(9)).join(''))
  terminal.line(facts.map(([, micros]) => showMicros(micros).padStart(9)).join(''))
  terminal.line('')
  const rows = latency.octaves()
  const largest = Math.max(...rows.map(({ count }) => count))
  for (const { to, count } of rows) {
    const bar = '█'.repeat(Math.ceil((count / largest) * 40))
    terminal.line(
      `${`< ${showMicros(to)}`.padStart(11)} ${String(count).padStart(8)} ${terminal.style('cyan', bar)}`,
    )
  }
}

function quantileName(share: number): string {
  return `p${share * 100}`
}

function showMicros(micros: number): string {
  if (micros < 1000) return `${Math.round(micros)} µs`
  if (micros < 1_000_000) return `${(micros / 1000).toFixed(micros < 10_000 ? 2 : 1)} ms`
  return `${(micros / 1_000_000).toFixed(2)} s`
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000
}
