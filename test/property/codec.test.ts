import fc from 'fast-check'
import { encodeFrame, FrameDecoder, FrameError, type FrameFormat } from 'framewire/codec'
import { describe, expect, it } from 'vitest'
import { Reassembly } from '../../dist/esm/codec/reassembly.js'
import { resolveFormat } from '../../dist/esm/format.js'
import { anyFormat, cut, payloads, pieceSizes, roundTripFormat } from './formats.js'

const RUNS = { numRuns: 400, seed: 20_260_101 }

/** Everything a stream says: payloads, then the code it ended with. */
function trace(format: Parameters<typeof resolveFormat>[0], limit: number, pieces: readonly Uint8Array[]) {
  const stream = new Reassembly(resolveFormat(format), limit)
  const events: string[] = []
  for (const piece of pieces) {
    stream.push(piece, (batch) => events.push(...batch.copyAll().map((payload) => payload.toString('hex'))))
  }
  const error = stream.end()
  if (error !== null) events.push(`${error.code} ${error.declared} ${error.received} ${error.limit}`)
  return events
}

describe('any stream', () => {
  it('gives back what was encoded, in every format and however it is cut', () => {
    fc.assert(
      fc.property(roundTripFormat, payloads, pieceSizes, (format, values, sizes) => {
        const decoder = new FrameDecoder({ format, maxFrameLength: 1000 })
        const wire = Buffer.concat(values.map((value) => encodeFrame(value, format)))
        const got = cut(wire, sizes).flatMap((piece) => decoder.push(piece))
        decoder.end()
        expect(got.map((payload) => payload.toString('hex'))).toEqual(
          values.map((value) => Buffer.from(value).toString('hex')),
        )
      }),
      RUNS,
    )
  })

  it('gives the same events however it is cut, also when it is noise', () => {
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc
        .array(fc.constantFrom(0, 0, 0, 1, 2, 5, 0x7f, 0x80, 0xff), { maxLength: 300 })
        .map((bytes) => Uint8Array.from(bytes)),
    )
    fc.assert(
      fc.property(
        anyFormat,
        noise,
        pieceSizes,
        fc.integer({ min: 0, max: 300 }),
        (format, wire, sizes, limit) => {
          expect(trace(format, limit, cut(wire, sizes))).toEqual(trace(format, limit, [wire]))
        },
      ),
      { ...RUNS, numRuns: 1500 },
    )
  })

  it('never delivers a payload over the limit, nor holds more than twice what has come', () => {
    fc.assert(
      fc.property(
        anyFormat,
        fc.uint8Array({ maxLength: 400 }),
        pieceSizes,
        fc.integer({ min: 0, max: 60 }),
        (format, wire, sizes, limit) => {
          const stream = new Reassembly(resolveFormat(format), limit)
          for (const piece of cut(wire, sizes)) {
            stream.push(piece, (batch) => {
              for (let i = 0; i < batch.length; i++)
                expect(batch.end(i) - batch.start(i)).toBeLessThanOrEqual(limit)
            })
            expect(stream.reserved).toBeLessThanOrEqual(Math.max(16, 2 * stream.held))
          }
        },
      ),
      RUNS,
    )
  })

  it('is in step again behind every frame that was discarded', () => {
    fc.assert(
      fc.property(
        roundTripFormat,
        payloads,
        pieceSizes,
        fc.integer({ min: 0, max: 150 }),
        (format, values, sizes, limit) => {
          const decoder = new FrameDecoder({ format, maxFrameLength: limit, onOversize: 'discard' })
          const wire = Buffer.concat(values.map((value) => encodeFrame(value, format)))
          const got = cut(wire, sizes).flatMap((piece) => decoder.push(piece))
          decoder.end()
          const large = values.filter((value) => value.length > limit)
          expect(got.map((payload) => payload.length)).toEqual(
            values.filter((v) => v.length <= limit).map((v) => v.length),
          )
          expect(decoder.discardedFrames).toBe(large.length)
          expect(decoder.discarded).toBe(large.reduce((sum, value) => sum + value.length, 0))
        },
      ),
      RUNS,
    )
  })
})

describe('any frame that can be encoded', () => {
  it('is read back as one frame of the same bytes, but for a length field that lies in the payload', () => {
    fc.assert(
      fc.property(anyFormat, fc.uint8Array({ maxLength: 300 }), (format, payload) => {
        const wire = tryEncode(payload, format)
        if (wire === undefined) return
        const [back, ...more] = new FrameDecoder({ format }).push(wire)
        expect(more).toEqual([])
        expect(back.length).toBe(payload.length)
        const { headerBytes, strip, lengthBytes } = resolveFormat(format)
        const inPayload =
          strip < 0 ? 0 : Math.max(0, (lengthBytes === 0 ? headerBytes + 9 : headerBytes) - strip)
        expect(back.subarray(inPayload)).toEqual(Buffer.from(payload.subarray(inPayload)))
      }),
      { ...RUNS, numRuns: 1500 },
    )
  })
})

/** undefined: refused with one of the documented codes. */
function tryEncode(payload: Uint8Array, format: FrameFormat): Buffer | undefined {
  try {
    return encodeFrame(payload, format)
  } catch (error) {
    expect(error).toBeInstanceOf(FrameError)
    expect(['ERR_FRAME_TOO_LARGE', 'ERR_FRAME_LENGTH_INVALID']).toContain((error as FrameError).code)
    return undefined
  }
}
