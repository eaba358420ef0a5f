import { encodeFrame, FrameDecoder, FrameEncoder } from 'framewire/codec'
import { describe, expect, it } from 'vitest'

const wireOf = (...payloads: string[]) => Buffer.concat(payloads.map((payload) => encodeFrame(payload)))
const withCode = (code: string) => expect.objectContaining({ code })

describe('FrameDecoder', () => {
  it('returns the payloads of a chunk, or calls back for each and returns their number', () => {
    const decoder = new FrameDecoder()
    expect(decoder.push(wireOf('one', '', 'two')).map(String)).toEqual(['one', '', 'two'])
    const got: string[] = []
    expect(decoder.push(wireOf('three', 'four'), (payload) => got.push(String(payload)))).toBe(2)
    expect(got).toEqual(['three', 'four'])
    expect(decoder.push(Buffer.alloc(0))).toEqual([])
    decoder.end()
  })

  it('gives payloads that the caller may keep while it reuses its chunk', () => {
    const decoder = new FrameDecoder()
    const chunk = wireOf('a'.repeat(8), 'b'.repeat(100), 'c'.repeat(5000))
    const kept = decoder.push(chunk)
    chunk.fill(0)
    expect(kept.map(String)).toEqual(['a'.repeat(8), 'b'.repeat(100), 'c'.repeat(5000)])
    expect(kept.every((payload) => Buffer.isBuffer(payload))).toBe(true)
  })

  it('takes bytes of every kind', () => {
    const wire = wireOf('12345678')
    const exact = wire.buffer.slice(wire.byteOffset, wire.byteOffset + wire.length)
    const shared = new SharedArrayBuffer(wire.length)
    new Uint8Array(shared).set(wire)
    const kinds = [
      wire,
      new Uint8Array(exact),
      exact,
      new DataView(exact),
      new Uint16Array(exact),
      new Int32Array(exact),
      shared,
    ]
    const decoder = new FrameDecoder()
    for (const kind of kinds) expect(decoder.push(kind).map(String)).toEqual(['12345678'])
  })

  it.each([
    ['a string', 'abc'],
    ['a number', 5],
    ['null', null],
    ['an array', [1, 2]],
    ['an object', { length: 3 }],
  ])('refuses %s with a TypeError and stays usable', (_name, chunk) => {
    const decoder = new FrameDecoder()
    expect(() => decoder.push(chunk as never)).toThrow(TypeError)
    expect(() => decoder.push(chunk as never)).toThrow(withCode('ERR_FRAME_PAYLOAD_TYPE'))
    expect(decoder.push(wireOf('fine')).map(String)).toEqual(['fine'])
  })

  it('hands out the frames in front of an error first', () => {
    const wire = Buffer.concat([wireOf('one'), encodeFrame('far too long')])
    const collected = new FrameDecoder({ maxFrameLength: 5 })
    expect(collected.push(wire).map(String)).toEqual(['one'])
    expect(() => collected.push(wire)).toThrow(withCode('ERR_FRAME_TOO_LARGE'))
    expect(() => collected.end()).toThrow(withCode('ERR_FRAME_TOO_LARGE'))

    const got: string[] = []
    const called = new FrameDecoder({ maxFrameLength: 5 })
    expect(() => called.push(wire, (payload) => got.push(String(payload)))).toThrow(
      withCode('ERR_FRAME_TOO_LARGE'),
    )
    expect(got).toEqual(['one'])
  })

  it('throws at the end of a stream that ends inside a frame', () => {
    const decoder = new FrameDecoder()
    decoder.push(wireOf('hello').subarray(0, 6))
    expect(decoder.held).toBe(6)
    expect(() => decoder.end()).toThrow(
      expect.objectContaining({ code: 'ERR_FRAME_TRUNCATED', declared: 5, received: 2 }),
    )
  })

  it("skips and counts oversize frames with onOversize 'discard'", () => {
    const decoder = new FrameDecoder({ maxFrameLength: 5, onOversize: 'discard' })
    const wire = wireOf('one', 'far too long', 'two')
    const got = [...wire].flatMap((byte) => decoder.push(Buffer.of(byte)))
    expect(got.map(String)).toEqual(['one', 'two'])
    expect([decoder.discardedFrames, decoder.discarded]).toEqual([1, 12])
    decoder.end()
  })

  it('throws at the end of a stream that ends inside a frame it skips', () => {
    for (const cut of [6, 5, 4]) {
      const decoder = new FrameDecoder({ maxFrameLength: 5, onOversize: 'discard' })
      decoder.push(wireOf('far too long').subarray(0, cut))
      expect(() => decoder.end()).toThrow(
        expect.objectContaining({ code: 'ERR_FRAME_TRUNCATED', declared: 12, received: cut - 4 }),
      )
    }
  })

  it('takes nothing after the end', () => {
    const whole = new FrameDecoder()
    whole.push(wireOf('one'))
    whole.end()
    whole.end()
    expect(() => whole.push(wireOf('two'))).toThrow(withCode('ERR_FRAME_CLOSED'))
    expect(() => whole.push(wireOf('two'), () => {})).toThrow(withCode('ERR_FRAME_CLOSED'))
    const cut = new FrameDecoder()
    cut.push(wireOf('one').subarray(0, 5))
    expect(() => cut.end()).toThrow(withCode('ERR_FRAME_TRUNCATED'))
    expect(() => cut.push(wireOf('two'))).toThrow(withCode('ERR_FRAME_TRUNCATED'))
  })

  it('loses no frame when onFrame throws, and keeps the order', () => {
    const decoder = new FrameDecoder()
    const got: string[] = []
    const wire = wireOf('one', 'two', 'three')
    expect(() =>
      decoder.push(wire, (payload) => {
        got.push(String(payload))
        throw new Error('consumer')
      }),
    ).toThrow('consumer')
    decoder.push(wireOf('four'), (payload) => got.push(String(payload)))
    expect(got).toEqual(['one', 'two', 'three', 'four'])
  })

  it('keeps the order when it is fed from inside onFrame', () => {
    const decoder = new FrameDecoder()
    const got: string[] = []
    const count = decoder.push(wireOf('one', 'two'), (payload) => {
      got.push(String(payload))
      if (got.length === 1) expect(decoder.push(wireOf('three'))).toEqual([])
    })
    expect(count).toBe(3)
    expect(got).toEqual(['one', 'two', 'three'])
  })

  it.each([
    [{ format: 'x' }, 'ERR_FRAME_FORMAT_INVALID'],
    [{ maxFrameLength: -1 }, 'ERR_FRAME_OPTION_INVALID'],
    [{ onOversize: 'ignore' }, 'ERR_FRAME_OPTION_INVALID'],
    [{ backend: 'wasm' }, 'ERR_FRAME_OPTION_INVALID'],
    [null, 'ERR_FRAME_OPTION_INVALID'],
    [{ backend: 'native' }, 'ERR_FRAME_BACKEND_UNAVAILABLE'],
  ])('refuses the options %j', (options, code) => {
    expect(() => new FrameDecoder(options as never)).toThrow(withCode(code))
  })
})

describe('FrameEncoder', () => {
  it('frames text and bytes', () => {
    const encoder = new FrameEncoder({ format: 'uint16be' })
    expect(encoder.encode('é').toString('hex')).toBe('0002c3a9')
    expect(encoder.push(Buffer.from('ab')).toString('hex')).toBe('00026162')
    expect(encoder.encode(new Float32Array([1])).toString('hex')).toBe('00040000803f')
    expect(encoder.encode(new ArrayBuffer(2)).toString('hex')).toBe('00020000')
    expect(encoder.encode('').toString('hex')).toBe('0000')
  })

  it('writes text as Buffer.from does, lone surrogates too', () => {
    for (const text of [
      'plain',
      '\ud800',
      'a\udc00b',
      '😀',
      '\0',
      `${'x'.repeat(20)}\ud800`,
      'é'.repeat(3000),
    ]) {
      expect(encodeFrame(text).subarray(4)).toEqual(Buffer.from(text))
    }
  })

  it('checks the limit on the payload, in bytes', () => {
    const encoder = new FrameEncoder({ maxFrameLength: 4 })
    expect(encoder.encode('éé')).toHaveLength(8)
    expect(() => encoder.encode('ééx')).toThrow(
      expect.objectContaining({ code: 'ERR_FRAME_TOO_LARGE', declared: 5, limit: 4 }),
    )
    expect(() => encoder.encode(new Float64Array(1))).toThrow(withCode('ERR_FRAME_TOO_LARGE'))
    expect(() => new FrameEncoder({ format: 'uint8' }).encode('x'.repeat(256))).toThrow(
      expect.objectContaining({ code: 'ERR_FRAME_TOO_LARGE', declared: 256, limit: 255 }),
    )
  })

  it.each([
    ['a number', 5],
    ['null', null],
    ['undefined', undefined],
    ['an object', {}],
    ['an array', [1]],
    ['what has a toString', { toString: () => 'x' }],
    ['a proxy of bytes', new Proxy(new Uint8Array(2), {})],
    ['a symbol', Symbol('s')],
    ['a bigint', 10n],
  ])('refuses %s', (_name, payload) => {
    expect(() => encodeFrame(payload as never)).toThrow(TypeError)
    expect(() => encodeFrame(payload as never)).toThrow(withCode('ERR_FRAME_PAYLOAD_TYPE'))
  })

  it('refuses memory that was transferred away', () => {
    const memory = new ArrayBuffer(8)
    const views = [
      new Uint8Array(memory),
      new DataView(memory),
      new Uint16Array(memory),
      Buffer.from(memory),
      memory,
    ]
    structuredClone(memory, { transfer: [memory] })
    for (const view of views) expect(() => encodeFrame(view)).toThrow(withCode('ERR_FRAME_PAYLOAD_DETACHED'))
  })

  it('frames what is left of memory that was resized', () => {
    const memory = new (
      ArrayBuffer as unknown as new (
        n: number,
        o: object,
      ) => ArrayBuffer & { resize(n: number): void }
    )(8, {
      maxByteLength: 16,
    })
    const tracking = new Uint8Array(memory)
    const behind = new Uint8Array(memory, 6, 2)
    memory.resize(4)
    expect(encodeFrame(tracking)).toHaveLength(8)
    expect(encodeFrame(memory)).toHaveLength(8)
    expect(encodeFrame(behind)).toHaveLength(4)
  })

  it('gives each frame memory that no other frame is written to', () => {
    const encoder = new FrameEncoder()
    const first = encoder.encode('first')
    encoder.encode('other')
    expect(first.subarray(4).toString()).toBe('first')
  })
})
