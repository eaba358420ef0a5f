import { readdirSync, readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { FrameError } from 'framewire/codec'
import { describe, expect, it } from 'vitest'
import {
  argumentError,
  ERRORS,
  type ErrorCode,
  optionError,
  payloadTypeError,
} from '../../dist/esm/errors.js'

const root = new URL('../../', import.meta.url)
const codes = Object.keys(ERRORS).sort()

function codesIn(path: string, pattern: RegExp): string[] {
  const text = readFileSync(new URL(path, root), 'utf8')
  return [...text.matchAll(pattern)].map((match) => match[1]).sort()
}

describe('the error codes', () => {
  it('have one heading each in docs/errors.md, in the same words', () => {
    expect(codesIn('docs/errors.md', /^### (ERR_FRAME_\w+)$/gm)).toEqual(codes)
  })

  it('have a cause and a cure there', () => {
    const text = readFileSync(new URL('docs/errors.md', root), 'utf8')
    for (const section of text.split(/^### (?=ERR_FRAME_)/m).slice(1)) {
      const [code, ...lines] = section.split(/^## /m)[0].split('\n')
      const [cause, cure, ...more] = lines.join('\n').split(/^Cure: /m)
      expect(cause.trim().length, `${code}: its cause`).toBeGreaterThan(30)
      expect(cure?.trim().length ?? 0, `${code}: its cure`).toBeGreaterThan(15)
      expect(more, code).toEqual([])
    }
  })

  it('are the members of the published type ErrorCode', () => {
    const declaration = readFileSync(new URL('dist/esm/errors.d.ts', root), 'utf8')
    const union = /export type ErrorCode = ([^;]+);/.exec(declaration)?.[1] ?? ''
    expect([...union.matchAll(/'(ERR_FRAME_\w+)'/g)].map((match) => match[1]).sort()).toEqual(codes)
  })

  it('are the only ones that the sources name', () => {
    const files = ['src', 'native', 'docs'].flatMap((folder) =>
      readdirSync(new URL(`${folder}/`, root), { recursive: true, encoding: 'utf8' }).map(
        (file) => `${folder}/${file}`,
      ),
    )
    const named = files
      .filter((file) => /\.(ts|cc|hpp|md)$/.test(file))
      .flatMap((file) => codesIn(file, /\b(ERR_FRAME_[A-Z_]*[A-Z])\b/g).map((code) => `${code} in ${file}`))
    expect(named.filter((place) => !codes.includes(place.split(' ')[0]))).toEqual([])
  })

  it('each have a text that says what happened', () => {
    for (const [code, entry] of Object.entries(ERRORS)) {
      expect(entry.message.length, code).toBeGreaterThan(15)
      expect(['FrameError', 'TypeError']).toContain(entry.type)
    }
  })
})

describe('a FrameError', () => {
  it('carries the fields that apply and no others', () => {
    const cause = new Error('below')
    const error = new FrameError('ERR_FRAME_TOO_LARGE', {
      declared: 20,
      limit: 10,
      hint: 'look there',
      cause,
    })
    expect(error).toBeInstanceOf(Error)
    expect(error.name).toBe('FrameError')
    expect(error.message).toBe('The frame is larger than maxFrameLength (declared 20, limit 10): look there')
    expect({ ...error }).toEqual({ code: 'ERR_FRAME_TOO_LARGE', declared: 20, limit: 10, hint: 'look there' })
    expect(error.cause).toBe(cause)
    expect('received' in error).toBe(false)
    expect('cause' in new FrameError('ERR_FRAME_CLOSED')).toBe(false)
  })

  it('can be told its connection afterwards', () => {
    const error = new FrameError('ERR_FRAME_CLOSED', { neverWritten: true })
    error.connectionId = 7
    expect({ ...error }).toEqual({ code: 'ERR_FRAME_CLOSED', neverWritten: true, connectionId: 7 })
    expect(inspect(error)).toContain('ERR_FRAME_CLOSED')
  })
})

describe('a mistake in an argument', () => {
  it('is a TypeError with the code', () => {
    for (const error of [
      optionError('port', 'a number', 'x'),
      payloadTypeError(4),
      argumentError('ERR_FRAME_FORMAT_INVALID'),
    ]) {
      expect(error).toBeInstanceOf(TypeError)
      expect(ERRORS[error.code as ErrorCode].type).toBe('TypeError')
    }
    expect(optionError('port', 'a number', 'x').message).toBe("port must be a number, not 'x'")
  })

  it('names the value without running code of it', () => {
    const hostile = new Proxy({}, { get: () => expect.unreachable(), ownKeys: () => expect.unreachable() })
    expect(optionError('port', 'a number', hostile).message).toBe('port must be a number, not an object')
    expect(optionError('port', 'a number', 'y'.repeat(1000)).message.length).toBeLessThan(100)
    expect(optionError('port', 'a number', Symbol('s')).message).toContain('symbol')
  })
})
