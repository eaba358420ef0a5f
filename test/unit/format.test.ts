import { describe, expect, it } from 'vitest'
import {
  FORMAT_PRESETS,
  type FormatPreset,
  headerSize,
  MAX_FRAME_LENGTH,
  resolveFormat,
  resolveMaxFrameLength,
  varintSize,
  writeHeader,
} from '../../dist/esm/format.js'

const header = (format: Parameters<typeof resolveFormat>[0], payloadLength: number): string => {
  const target = Buffer.alloc(32, 0xee)
  const written = writeHeader(resolveFormat(format), payloadLength, target, 2)
  expect(target.subarray(0, 2).toString('hex')).toBe('eeee')
  return target.subarray(2, 2 + written).toString('hex')
}

describe('a frame format', () => {
  it('is 4-byte big-endian unless said otherwise', () => {
    expect(resolveFormat()).toBe(resolveFormat('uint32be'))
    expect(resolveFormat({ lengthBytes: 4, strip: 4 })).toEqual(resolveFormat('N'))
    expect(resolveFormat().isPlainUint32BE).toBe(true)
    expect(resolveFormat('workerman').isPlainUint32BE).toBe(false)
    expect(resolveFormat({ lengthBytes: 4, strip: 0 }).isPlainUint32BE).toBe(false)
  })

  it('is frozen once it is resolved', () => {
    expect(Object.isFrozen(resolveFormat('varint'))).toBe(true)
    expect(Object.isFrozen(resolveFormat({ lengthBytes: 2 }))).toBe(true)
  })

  it.each([
    ['uint8', '05'],
    ['uint16be', '0005'],
    ['uint16le', '0500'],
    ['uint24be', '000005'],
    ['uint24le', '050000'],
    ['uint32be', '00000005'],
    ['uint32le', '05000000'],
    ['uint64be', '0000000000000005'],
    ['uint64le', '0500000000000000'],
    ['varint', '05'],
    ['workerman', '00000009'],
    ['C', '05'],
    ['n', '0005'],
    ['v', '0500'],
    ['N', '00000005'],
    ['V', '05000000'],
    ['J', '0000000000000005'],
    ['P', '0500000000000000'],
    ['swoole:V', '05000000'],
    ['erlang:1', '05'],
    ['erlang:2', '0005'],
    ['erlang:4', '00000005'],
  ] as const)('writes the header of preset %s', (preset, bytes) => {
    expect(header(preset, 5)).toBe(bytes)
    expect(headerSize(resolveFormat(preset), 5)).toBe(bytes.length / 2)
  })

  it('resolves every preset', () => {
    for (const preset of Object.keys(FORMAT_PRESETS) as FormatPreset[]) {
      expect(resolveFormat(preset)).toEqual(resolveFormat(FORMAT_PRESETS[preset]))
    }
  })

  it.each([
    ['lengthBytes', { lengthBytes: 5 }],
    ['lengthBytes', { lengthBytes: '4' }],
    ['lengthBytes', {}],
    ['endian', { lengthBytes: 4, endian: 'middle' }],
    ['lengthOffset', { lengthBytes: 4, lengthOffset: -1 }],
    ['lengthOffset', { lengthBytes: 4, lengthOffset: 65536 }],
    ['lengthAdjustment', { lengthBytes: 4, lengthAdjustment: 0.5 }],
    ['lengthAdjustment', { lengthBytes: 4, lengthAdjustment: 2 ** 31 }],
    ['strip', { lengthBytes: 4, strip: Number.NaN }],
    ['strip', { lengthBytes: 4, strip: null }],
    ['preset', 'uint31be'],
    ['preset', 'toString'],
    ['object', 4],
    ['object', null],
  ])('is refused with a TypeError that names %s: %j', (name, format) => {
    const resolve = () => resolveFormat(format as never)
    expect(resolve).toThrow(TypeError)
    expect(resolve).toThrow(expect.objectContaining({ code: 'ERR_FRAME_FORMAT_INVALID' }))
    expect(resolve).toThrow(name)
  })

  it('writes lengths beyond 32 bits in 8 bytes and in varints', () => {
    expect(header({ lengthBytes: 8, lengthAdjustment: -(2 ** 31) }, 2 ** 32 - 65536)).toBe('000000017fff0000')
    expect(header('varint', 2 ** 32 - 65536)).toBe('8080fcff0f')
    expect([0, 127, 128, 16383, 16384, 2 ** 31, 2 ** 32, 2 ** 49 - 1, 2 ** 49].map(varintSize)).toEqual([
      1, 1, 2, 2, 3, 5, 5, 7, 8,
    ])
  })
})

describe('maxFrameLength', () => {
  it('takes bytes or Infinity', () => {
    expect(resolveMaxFrameLength()).toBe(16 * 1024 * 1024)
    expect(resolveMaxFrameLength(0)).toBe(0)
    expect(resolveMaxFrameLength(Infinity)).toBe(MAX_FRAME_LENGTH)
  })

  it.each([-1, 1.5, Number.NaN, 2 ** 53, '10', null])('refuses %j', (value) => {
    expect(() => resolveMaxFrameLength(value as never)).toThrow(
      expect.objectContaining({ code: 'ERR_FRAME_OPTION_INVALID' }),
    )
  })
})
