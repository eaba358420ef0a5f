/** Arbitraries of the property tests: formats, payloads that they can carry, and ways to cut a stream. */
import fc from 'fast-check'
import { FORMAT_PRESETS, type FormatPreset, type FrameFormat } from 'framewire/codec'

const preset = fc.constantFrom(...(Object.keys(FORMAT_PRESETS) as FormatPreset[]))

/** Formats whose decoded payload is what was encoded: nothing of the payload lies in the header. */
export const roundTripFormat: fc.Arbitrary<FrameFormat | FormatPreset> = fc.oneof(
  preset,
  fc
    .record({
      lengthBytes: fc.constantFrom<FrameFormat['lengthBytes']>(1, 2, 3, 4, 8, 'varint'),
      endian: fc.constantFrom<'big' | 'little'>('big', 'little'),
      lengthOffset: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 40 })),
      lengthAdjustment: fc.oneof(fc.constant(0), fc.integer({ min: -40, max: 0 })),
    })
    .chain((format) => {
      const header = format.lengthOffset + (format.lengthBytes === 'varint' ? 10 : format.lengthBytes)
      const strip = fc.oneof(fc.constant(undefined), fc.integer({ min: header, max: header + 20 }))
      return strip.map((bytes) => (bytes === undefined ? format : { ...format, strip: bytes }))
    }),
)

/** Any format at all. */
export const anyFormat: fc.Arbitrary<FrameFormat> = fc.record(
  {
    lengthBytes: fc.constantFrom<FrameFormat['lengthBytes']>(1, 2, 3, 4, 8, 'varint'),
    endian: fc.constantFrom<'big' | 'little'>('big', 'little'),
    lengthOffset: fc.integer({ min: 0, max: 12 }),
    lengthAdjustment: fc.integer({ min: -12, max: 12 }),
    strip: fc.integer({ min: 0, max: 24 }),
  },
  { requiredKeys: ['lengthBytes'] },
)

/** Payloads that every format above can carry (a one-byte length counts up to 40 bytes of header as well). */
export const payloads = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.uint8Array({ maxLength: 20 }) },
    { weight: 2, arbitrary: fc.uint8Array({ maxLength: 150 }) },
  ),
  { maxLength: 12 },
)

/** Cuts `wire` in pieces whose sizes come around again and again. */
export function cut(wire: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (let at = 0, i = 0; at < wire.length; i++) {
    const size = sizes[i % sizes.length]
    pieces.push(wire.subarray(at, at + size))
    at += size
  }
  return pieces
}

export const pieceSizes = fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 6 })
