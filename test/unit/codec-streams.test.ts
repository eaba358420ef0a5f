import * as streams from 'node:stream'
import { type Duplex, isReadable, PassThrough, Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { encodeFrame } from 'framewire/codec'
import { describe, expect, it } from 'vitest'
import { FrameDecoder, FrameEncoder } from '../../dist/esm/codec/node/index.js'
import { collect } from '../contract/suite/harness.js'

const words = ['one', '', 'three', 'x'.repeat(70_000), 'é']
const wire = Buffer.concat(words.map((word) => encodeFrame(word)))

function pieces(bytes: Buffer, step: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / step) }, (_, i) =>
    bytes.subarray(i * step, (i + 1) * step),
  )
}

const tails: readonly (readonly [name: string, code: string, tail: Buffer])[] = [
  ['a frame that is cut off', 'ERR_FRAME_TRUNCATED', Buffer.from([0, 0, 0, 9, 1])],
  ['a frame over the limit', 'ERR_FRAME_TOO_LARGE', Buffer.from([255, 255, 255, 255])],
]
const numbers = Array.from({ length: 40 }, (_, i) => String(i))
const numbersWire = Buffer.concat(numbers.map((text) => encodeFrame(text)))

describe.each(tails)('in front of %s', (_name, code, tail) => {
  const bytes = Buffer.concat([numbersWire, tail])

  it('every payload comes out of a Node Transform', async () => {
    const decode = Readable.from([bytes]).pipe(new FrameDecoder().toTransform())
    expect(await collect(decode)).toEqual([numbers, code])
  })

  it('every payload is an event, in whatever mode it is read', async () => {
    for (const mode of ['data', 'readable'] as const) {
      const decode = new FrameDecoder().toTransform({ readableHighWaterMark: 2 })
      const got: string[] = []
      const failed = new Promise((resolve) => decode.once('error', resolve))
      if (mode === 'data') decode.on('data', (payload) => got.push(String(payload)))
      else
        decode.on('readable', () => {
          for (let next = decode.read(); next !== null; next = decode.read()) got.push(String(next))
        })
      decode.end(bytes)
      expect(await failed).toMatchObject({ code })
      expect(got).toEqual(numbers)
    }
  })

  it('every payload comes out of a pair of web streams', async () => {
    const source = new ReadableStream<Buffer>({
      start(controller) {
        controller.enqueue(bytes)
        controller.close()
      },
    })
    expect(await collect(source.pipeThrough(new FrameDecoder()))).toEqual([numbers, code])
  })
})

describe('a pair of web streams', () => {
  it('lets go of a write that waits when its reader cancels, or its writer aborts', async () => {
    for (const leave of ['cancel', 'abort'] as const) {
      const { readable, writable } = new FrameDecoder().toTransformStream()
      const writer = writable.getWriter()
      const written = writer.write(encodeFrame('x'))
      const reason = new Error(leave)
      const left = leave === 'cancel' ? readable.cancel(reason) : writer.abort(reason)
      await Promise.allSettled([written, left])
      await expect(writer.closed).rejects.toBe(reason)
    }
  })

  it('has closed when its reader cancels behind the close, and has not when the close had not begun', async () => {
    for (const begun of [true, false]) {
      const { readable, writable } = new FrameDecoder().toTransformStream()
      const writer = writable.getWriter()
      writer.closed.catch(() => {})
      // A stream begins to close once it has started.
      if (begun) await new Promise((resolve) => setImmediate(resolve))
      const reason = new Error('enough')
      const closed = writer.close()
      await readable.cancel(reason)
      if (begun) await closed
      else await expect(closed).rejects.toBe(reason)
    }
  })

  it('ends its reader when its writer aborts behind a close', async () => {
    const { readable, writable } = new FrameDecoder().toTransformStream()
    const writer = writable.getWriter()
    await new Promise((resolve) => setImmediate(resolve))
    const closed = writer.close()
    const aborted = writer.abort(new Error('too late'))
    expect(await readable.getReader().read()).toEqual({ done: true, value: undefined })
    await Promise.all([closed, aborted])
  })

  it('gives the reader what the writer aborted with', async () => {
    const { readable, writable } = new FrameDecoder().toTransformStream()
    const read = readable.getReader().read()
    await writable.abort(new Error('enough'))
    await expect(read).rejects.toThrow('enough')
  })
})

describe('as a Node Transform', () => {
  it('decodes and encodes what passes through', async () => {
    const got: string[] = []
    const decode = new FrameDecoder().toTransform()
    await pipeline(Readable.from(pieces(wire, 1000)), decode, async (payloads) => {
      for await (const payload of payloads) got.push(String(payload))
    })
    expect(got).toEqual(words)

    const chunks: Buffer[] = []
    await pipeline(Readable.from(words), new FrameEncoder().toTransform(), async (frames) => {
      for await (const frame of frames) chunks.push(frame as Buffer)
    })
    expect(Buffer.concat(chunks)).toEqual(wire)
  })

  it('ends with the error of the stream, after the payloads in front of it', async () => {
    const got: string[] = []
    const run = (source: Buffer) =>
      pipeline(
        Readable.from([source]),
        new FrameDecoder({ maxFrameLength: 10 }).toTransform(),
        async (payloads) => {
          for await (const payload of payloads) got.push(String(payload))
        },
      )
    await expect(run(encodeFrame('hello').subarray(0, 7))).rejects.toMatchObject({
      code: 'ERR_FRAME_TRUNCATED',
    })
    await expect(run(encodeFrame('x'.repeat(11)))).rejects.toMatchObject({ code: 'ERR_FRAME_TOO_LARGE' })
  })

  it('takes no more chunks while nobody reads', async () => {
    const decode = new FrameDecoder().toTransform({ readableHighWaterMark: 4, writableHighWaterMark: 64 })
    const chunk = Buffer.concat(Array.from({ length: 10 }, () => encodeFrame('12345678')))
    let taken = 0
    const source = new Readable({
      read() {
        taken++
        this.push(taken > 100 ? null : chunk)
      },
      highWaterMark: 1,
    })
    source.pipe(decode)
    await new Promise((resolve) => decode.once('readable', resolve))
    await new Promise((resolve) => setImmediate(resolve))
    expect(taken).toBeLessThan(10)
    let count = 0
    await pipeline(
      decode,
      new Writable({
        objectMode: true,
        write(_payload, _encoding, done) {
          count++
          done()
        },
      }),
    )
    expect(count).toBe(1000)
  })
})

describe('what tests `readable === true`', () => {
  it('takes toTransform(), and not the object itself', async () => {
    expect(isReadable(new FrameDecoder().toTransform())).toBe(true)
    expect(isReadable(new FrameDecoder())).not.toBe(true)

    // There since Node 16.9; the types do not know it as an export.
    const { compose } = streams as unknown as { compose(...parts: Duplex[]): Duplex }
    const composed = compose(new FrameEncoder().toTransform(), new FrameDecoder().toTransform())
    for (const word of words.slice(0, 3)) composed.write(word)
    composed.end()
    expect((await composed.toArray()).map(String)).toEqual(words.slice(0, 3))

    const decode = new FrameDecoder().toTransform()
    decode.end(wire)
    const payloads: unknown[] = []
    for await (const payload of Readable.toWeb(decode)) payloads.push(payload)
    expect(payloads.map(String)).toEqual(words)
  })
})

describe('the object itself as a Node stream', () => {
  it('is piped to and from', async () => {
    const decoder = new FrameDecoder()
    expect(Readable.from(pieces(wire, 1000)).pipe(decoder)).toBe(decoder)
    expect(await collect(decoder)).toEqual([words, undefined])

    const frames = Readable.from(words).pipe(new FrameEncoder())
    const through = frames.pipe(new PassThrough()).pipe(new FrameDecoder())
    expect(await collect(through)).toEqual([words, undefined])
  })

  it('stands anywhere in a pipeline', async () => {
    const got: string[] = []
    await pipeline(
      Readable.from(words),
      new FrameEncoder(),
      new FrameDecoder(),
      async (payloads: AsyncIterable<Buffer>) => {
        for await (const payload of payloads) got.push(String(payload))
      },
    )
    expect(got).toEqual(words)
    const sink = new Writable({ objectMode: true, write: (payload, _, done) => done(void got.push(payload)) })
    got.length = 0
    await pipeline(pieces(wire, 1000), new FrameDecoder(), sink)
    expect(got.map(String)).toEqual(words)
  })

  it('ends a pipeline with its error', async () => {
    const run = pipeline(Readable.from([wire.subarray(0, 6)]), new FrameDecoder(), new PassThrough())
    await expect(run).rejects.toMatchObject({ code: 'ERR_FRAME_TRUNCATED' })
    const encode = pipeline(Readable.from([5]), new FrameEncoder(), new PassThrough())
    await expect(encode).rejects.toMatchObject({ code: 'ERR_FRAME_PAYLOAD_TYPE' })
  })

  it('tells errors as events, behind the payloads in front of them', async () => {
    const decoder = new FrameDecoder()
    const got: string[] = []
    expect(decoder.on('data', (payload) => got.push(String(payload)))).toBe(decoder)
    const failed = new Promise((resolve) => decoder.once('error', resolve))
    decoder.write(wire)
    decoder.end(Buffer.from([0, 0, 0, 9, 1]))
    expect(await failed).toMatchObject({ code: 'ERR_FRAME_TRUNCATED' })
    expect(got).toEqual(words)
    expect(decoder.destroyed).toBe(true)
  })

  it('is none until it is used as one', () => {
    const decoder = new FrameDecoder()
    expect(decoder.push(wire).map(String)).toEqual(words)
    decoder.push(wire.subarray(0, 2))
    expect(() => decoder.end()).toThrow(expect.objectContaining({ code: 'ERR_FRAME_TRUNCATED' }))
  })
})

describe('as a web transform', () => {
  async function collect<T>(stream: ReadableStream<T>): Promise<T[]> {
    const got: T[] = []
    for await (const value of stream) got.push(value)
    return got
  }
  const streamOf = <T>(values: Iterable<T>) => ReadableStream.from(values) as unknown as ReadableStream<T>

  it('pipes through the object itself', async () => {
    const payloads = await collect(streamOf(pieces(wire, 1000)).pipeThrough(new FrameDecoder()))
    expect(payloads.map(String)).toEqual(words)
    const frames = await collect(streamOf(words).pipeThrough(new FrameEncoder()))
    expect(Buffer.concat(frames)).toEqual(wire)
  })

  it('makes its sides once', () => {
    const decoder = new FrameDecoder()
    expect(decoder.readable).toBe(decoder.readable)
    expect(decoder.writable).toBe(decoder.writable)
  })

  it('errors with the error of the stream', async () => {
    const cut = streamOf([encodeFrame('hello').subarray(0, 7)]).pipeThrough(
      new FrameDecoder().toTransformStream(),
    )
    await expect(collect(cut)).rejects.toMatchObject({ code: 'ERR_FRAME_TRUNCATED' })
    const wrong = streamOf([5 as never]).pipeThrough(new FrameEncoder().toTransformStream())
    await expect(collect(wrong)).rejects.toMatchObject({ code: 'ERR_FRAME_PAYLOAD_TYPE' })
  })

  it('takes no more chunks while nobody reads', async () => {
    let taken = 0
    const source = new ReadableStream<Buffer>({
      pull(controller) {
        taken++
        controller.enqueue(encodeFrame('x'))
      },
    })
    const payloads = source.pipeThrough(new FrameDecoder())
    const reader = payloads.getReader()
    await reader.read()
    await new Promise((resolve) => setImmediate(resolve))
    expect(taken).toBeLessThan(8)
    await reader.cancel()
  })
})
