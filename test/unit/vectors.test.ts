import { encodeFrame, FrameError } from 'framewire/codec'
import { describe, expect, it } from 'vitest'
import { Reassembly } from '../../dist/esm/codec/reassembly.js'
import { resolveFormat, resolveMaxFrameLength } from '../../dist/esm/format.js'
import { type DecodeVector, readVectors } from './vectors.js'

const vectors = readVectors()
const decodes = vectors.filter((vector) => vector.kind === 'decode')
const encodes = vectors.filter((vector) => vector.kind === 'encode')

interface Trace {
  readonly frames: { readonly wireEnd: number; readonly payload: Buffer }[]
  readonly error: FrameError | null
}

/** Feeds the input in pieces of `step` bytes. */
function decode(vector: DecodeVector, step: number): Trace {
  const stream = new Reassembly(resolveFormat(vector.format), resolveMaxFrameLength(vector.limit))
  const frames: Trace['frames'] = []
  for (let at = 0; at < vector.input.length; at += step) {
    stream.push(vector.input.subarray(at, at + step), (batch) => {
      for (let i = 0; i < batch.length; i++) frames.push({ wireEnd: batch.end(i), payload: batch.copy(i) })
    })
  }
  return { frames, error: stream.end() }
}

function expectPayloads(trace: Trace, vector: DecodeVector): void {
  const same = trace.frames.map((frame, i) => vector.frames[i]?.payload.equals(frame.payload) ?? false)
  expect(same).toEqual(vector.frames.map(() => true))
}

function hintName(hint: string | undefined): string | undefined {
  if (hint === undefined) return undefined
  if (hint.includes('HTTP')) return 'http'
  if (hint.includes('TLS')) return 'tls'
  return hint.includes('-endian') ? 'other-endian' : 'counts-header'
}

function expectError(error: FrameError | null, expected: DecodeVector['error'], withHint: boolean): void {
  if (expected === undefined) {
    expect(error).toBeNull()
    return
  }
  expect(error).toBeInstanceOf(FrameError)
  expect(error?.code).toBe(expected.code)
  expect(error?.declared).toBe(expected.declared === undefined ? undefined : Number(expected.declared))
  expect(error?.received).toBe(expected.received === undefined ? undefined : Number(expected.received))
  if (withHint) expect(hintName(error?.hint)).toBe(expected.hint)
}

describe('the shared vectors: decoding', () => {
  it('has vectors', () => {
    expect(decodes.length).toBeGreaterThan(100)
    expect(encodes.length).toBeGreaterThan(30)
  })

  it.each(decodes.map((vector) => [vector.name, vector] as const))('%s', (_name, vector) => {
    const whole = decode(vector, Math.max(1, vector.input.length))
    expectPayloads(whole, vector)
    expect(whole.frames.map((frame) => frame.wireEnd)).toEqual(vector.frames.map((frame) => frame.end))
    expectError(whole.error, vector.error, true)
    for (const step of [1, 2, 3, 7]) {
      if (vector.input.length / step > 20_000) continue
      const cut = decode(vector, step)
      expectPayloads(cut, vector)
      expectError(cut.error, vector.error, false)
    }
  })
})

describe('the shared vectors: encoding', () => {
  it.each(encodes.map((vector) => [vector.name, vector] as const))('%s', (_name, vector) => {
    const encode = () => encodeFrame(vector.payload, vector.format, Infinity)
    if (vector.wire !== undefined) expect(encode().equals(vector.wire)).toBe(true)
    else expect(encode).toThrow(expect.objectContaining({ code: vector.error }))
  })
})
