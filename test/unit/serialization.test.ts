import { FrameBatch } from 'framewire/codec'
import { describe, expect, it } from 'vitest'
import { resolveSerialization } from '../../dist/esm/codec/serialization.js'

function batchOf(text: string): FrameBatch {
  const bytes = Buffer.from(text)
  const batch = new FrameBatch(bytes, new Uint32Array([0, bytes.length]))
  batch.length = 1
  return batch
}

describe('serialization', () => {
  it('leaves bytes alone unless told otherwise', () => {
    const { kind, decode, encode } = resolveSerialization()
    expect(kind).toBe('buffer')
    expect(decode(batchOf('abc'), 0)).toEqual(Buffer.from('abc'))
    expect(encode('abc')).toBe('abc')
  })

  it('reads and writes text', () => {
    const { decode, encode } = resolveSerialization('text')
    expect(decode(batchOf('中文'), 0)).toBe('中文')
    expect(encode('中文')).toBe('中文')
  })

  it('reads and writes JSON, non-ASCII as it is', () => {
    const { decode, encode } = resolveSerialization('json')
    expect(decode(batchOf('{"msg":"长度有误"}'), 0)).toEqual({ msg: '长度有误' })
    expect(encode({ msg: '长度有误' })).toBe('{"msg":"长度有误"}')
    expect(encode(null)).toBe('null')
  })

  it('says what JSON could not do, with the cause', () => {
    const { decode, encode } = resolveSerialization('json')
    const failure = expect.objectContaining({ code: 'ERR_FRAME_SERIALIZATION', cause: expect.any(Error) })
    expect(() => decode(batchOf('{'), 0)).toThrow(failure)
    expect(() => decode(batchOf(''), 0)).toThrow(failure)
    expect(() => encode(1n)).toThrow(failure)
    const circle: Record<string, unknown> = {}
    circle.self = circle
    expect(() => encode(circle)).toThrow(failure)
    for (const value of [undefined, () => 1, Symbol('s')]) {
      expect(() => encode(value)).toThrow(expect.objectContaining({ code: 'ERR_FRAME_SERIALIZATION' }))
    }
  })

  it('takes functions of the application, with its failures as causes', () => {
    const { kind, decode, encode } = resolveSerialization({
      encode: (value: number) => String(value),
      decode: (payload) => Number(payload.toString()),
    } as never)
    expect(kind).toBe('custom')
    expect(decode(batchOf('42'), 0)).toBe(42)
    expect(encode(42)).toBe('42')
    const fails = () => {
      throw new Error('mine')
    }
    const failing = resolveSerialization({ encode: fails, decode: fails } as never)
    const failure = expect.objectContaining({ code: 'ERR_FRAME_SERIALIZATION', cause: new Error('mine') })
    expect(() => failing.encode(1)).toThrow(failure)
    expect(() => failing.decode(batchOf('x'), 0)).toThrow(failure)
  })

  it.each([['xml'], [5], [null], [{}], [{ encode: () => '' }]])('refuses %j', (option) => {
    expect(() => resolveSerialization(option as never)).toThrow(
      expect.objectContaining({ code: 'ERR_FRAME_OPTION_INVALID' }),
    )
  })
})
