/** Reads test/vectors/frames.txt, the cases that every implementation of the format shares. */
import { readFileSync } from 'node:fs'
import type { FormatPreset, FrameFormat } from 'framewire/codec'

export interface ExpectedFrame {
  readonly start: number
  readonly end: number
  readonly payload: Buffer
}

export interface DecodeVector {
  readonly kind: 'decode'
  readonly name: string
  readonly format: FrameFormat | FormatPreset
  readonly limit: number
  readonly input: Buffer
  readonly frames: readonly ExpectedFrame[]
  /** undefined: the input ends on a boundary. */
  readonly error: Readonly<Record<string, string>> | undefined
}

export interface EncodeVector {
  readonly kind: 'encode'
  readonly name: string
  readonly format: FrameFormat | FormatPreset
  readonly payload: Buffer
  readonly wire: Buffer | undefined
  readonly error: string | undefined
}

export function readVectors(): readonly (DecodeVector | EncodeVector)[] {
  const text = readFileSync(new URL('../vectors/frames.txt', import.meta.url), 'utf8')
  const blocks = text
    .split(/\n\s*\n/)
    .map((block) => block.split('\n').filter((line) => line !== '' && !line.startsWith('#')))
  return blocks.filter((lines) => lines.length > 0).map(readBlock)
}

function readBlock(lines: readonly string[]): DecodeVector | EncodeVector {
  const rows = lines.map((line) => {
    const at = line.indexOf(' ')
    return at < 0 ? { word: line, rest: '' } : { word: line.slice(0, at), rest: line.slice(at + 1) }
  })
  const one = (word: string) => rows.find((row) => row.word === word)?.rest
  const { word: kind, rest: name } = rows[0]
  const format = readFormat(one('format') as string)
  if (kind === 'encode') {
    const wire = one('wire')
    const error = one('error')
    return {
      kind,
      name,
      format,
      payload: readBytes(one('payload') as string),
      wire: wire && readBytes(wire),
      error,
    } as EncodeVector
  }
  if (kind !== 'decode') throw new Error(`unknown block ${kind}`)
  const limit = one('limit') as string
  return {
    kind,
    name,
    format,
    limit: limit === 'infinity' ? Infinity : Number(limit),
    input: readBytes(one('input') as string),
    frames: rows.filter((row) => row.word === 'frame').map((row) => readFrame(row.rest)),
    error: readError(one('error')),
  }
}

function readFrame(rest: string): ExpectedFrame {
  const [start, end, ...bytes] = rest.split(' ')
  return { start: Number(start), end: Number(end), payload: readBytes(bytes.join(' ')) }
}

function readError(rest: string | undefined): Record<string, string> | undefined {
  if (rest === undefined) return undefined
  const [code, ...fields] = rest.split(' ')
  return { code, ...Object.fromEntries(fields.map((field) => field.split('='))) }
}

function readFormat(text: string): FrameFormat | FormatPreset {
  if (!text.includes('=')) return text as FormatPreset
  const fields = text.split(' ').map((field) => {
    const [key, value] = field.split('=')
    return [key, /^-?\d+$/.test(value) ? Number(value) : value]
  })
  return { lengthBytes: 4, ...Object.fromEntries(fields) }
}

function readBytes(text: string): Buffer {
  if (text === '-') return Buffer.alloc(0)
  const parts = text.split(' ').map((group) => {
    const [hex, times] = group.split('*')
    const bytes = Buffer.from(hex, 'hex')
    return times === undefined ? bytes : Buffer.concat(Array(Number(times)).fill(bytes))
  })
  return Buffer.concat(parts)
}
