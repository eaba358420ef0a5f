import { type FrameBatch, FrameError } from 'framewire/codec'
import { describe, expect, it } from 'vitest'
import { Reassembly, ScanSpace } from '../../dist/esm/codec/reassembly.js'
import { resolveFormat } from '../../dist/esm/format.js'

const plain = resolveFormat('uint32be')

function frame(payload: Uint8Array | string): Buffer {
  const body = Buffer.from(payload as string)
  const head = Buffer.alloc(4)
  head.writeUInt32BE(body.length)
  return Buffer.concat([head, body])
}

function reader(limit = 1024, options = {}) {
  const got: string[] = []
  const stream = new Reassembly(plain, limit, options)
  return {
    got,
    stream,
    push: (chunk: Uint8Array) => stream.push(chunk, (batch) => got.push(...batch.copyAll().map(String))),
  }
}

describe('reassembly', () => {
  it('delivers the same frames for every place a stream is cut at', () => {
    const wire = Buffer.concat(['one', '', 'a longer third frame of thirty b'].map(frame))
    for (let cut = 0; cut <= wire.length; cut++) {
      const { got, stream, push } = reader()
      push(wire.subarray(0, cut))
      push(wire.subarray(cut))
      expect(got).toEqual(['one', '', 'a longer third frame of thirty b'])
      expect(stream.end()).toBeNull()
    }
  })

  it('says where in a frame the stream stands', () => {
    const { stream, push } = reader()
    const wire = frame('hello')
    const phases = [...wire].map((byte) => {
      push(Buffer.of(byte))
      return stream.phase
    })
    expect(phases).toEqual(['header', 'header', 'header', 'body', 'body', 'body', 'body', 'body', 'boundary'])
    expect(stream.held).toBe(0)
    expect(stream.reserved).toBe(0)
  })

  it('sets memory aside for what has come, whatever was declared', () => {
    const { stream, push } = reader(2 ** 30)
    push(Buffer.from([0x3f, 0xff, 0xff, 0xff]))
    for (let i = 0; i < 100; i++) {
      push(Buffer.alloc(1000))
      expect(stream.reserved).toBeLessThanOrEqual(2 * stream.held)
    }
    expect(stream.held).toBe(100_004)
  })

  it('puts a frame at the limit together from small chunks in a number of copies that grows with its size', () => {
    const size = 1 << 20
    const stream = new Reassembly(plain, size)
    let grown = 0
    let reserved = 0
    const wire = frame(Buffer.alloc(size, 5))
    let length = 0
    for (let at = 0; at < wire.length; at += 100) {
      stream.push(wire.subarray(at, at + 100), (batch) => {
        length = batch.copy(0).length
      })
      if (stream.reserved > reserved) grown++
      reserved = stream.reserved
    }
    expect(length).toBe(size)
    expect(grown).toBeLessThan(20)
  })

  it('does not keep a chunk for the few bytes at its end', () => {
    const { got, stream, push } = reader()
    const chunk = Buffer.concat([frame('one'), frame('two').subarray(0, 5)])
    push(chunk)
    chunk.fill(0xff)
    expect(stream.reserved).toBeLessThan(64)
    push(Buffer.from('wo'))
    expect(got).toEqual(['one', 'two'])
  })

  it('delivers what is in front of a protocol error, then nothing any more', () => {
    const { got, stream, push } = reader(10)
    const error = push(Buffer.concat([frame('one'), frame('far too long a frame'), frame('two')]))
    expect(error).toBeInstanceOf(FrameError)
    expect({ ...error }).toEqual({ code: 'ERR_FRAME_TOO_LARGE', declared: 20, limit: 10 })
    expect(push(frame('three'))).toBe(error)
    expect(stream.end()).toBe(error)
    expect(got).toEqual(['one'])
    expect(stream.reserved).toBe(0)
  })

  it('takes a frame of exactly the limit', () => {
    const { got, push } = reader(3)
    push(frame('abc'))
    expect({ ...push(frame('abcd')) }).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE', declared: 4, limit: 3 })
    expect(got).toEqual(['abc'])
  })

  it('tells how much of a frame was there when the stream ended', () => {
    const wire = frame('hello')
    for (let cut = 1; cut < wire.length; cut++) {
      const { stream, push } = reader()
      push(wire.subarray(0, cut))
      const expected = cut < 4 ? { received: cut } : { declared: 5, received: cut - 4 }
      expect({ ...stream.end(), hint: undefined }).toEqual({
        code: 'ERR_FRAME_TRUNCATED',
        hint: undefined,
        ...expected,
      })
    }
  })

  it('skips a frame over the limit and is in step again', () => {
    const wire = Buffer.concat([
      frame('one'),
      frame('x'.repeat(500)),
      frame('two'),
      frame('y'.repeat(11)),
      frame(''),
    ])
    for (const step of [1, 2, 7, 1000]) {
      const { got, stream, push } = reader(10, { discard: true })
      for (let at = 0; at < wire.length; at += step) expect(push(wire.subarray(at, at + step))).toBeNull()
      expect(got).toEqual(['one', 'two', ''])
      expect([stream.discardedFrames, stream.discardedBytes]).toEqual([2, 511])
      expect(stream.end()).toBeNull()
    }
  })

  it('notices that the stream ended inside a frame it skips', () => {
    const { stream, push } = reader(10, { discard: true })
    push(frame('x'.repeat(500)).subarray(0, 100))
    expect(stream.phase).toBe('body')
    expect(stream.reserved).toBe(0)
    expect(stream.end()?.code).toBe('ERR_FRAME_TRUNCATED')
  })

  it('delivers more frames than its table has rows', () => {
    const { got, push } = reader(1024, { space: new ScanSpace(3) })
    push(Buffer.concat(Array.from({ length: 10 }, (_, i) => frame(String(i)))))
    expect(got.join('')).toBe('0123456789')
  })

  it('keeps streams apart that share a table, also when one is fed from inside a delivery of the other', () => {
    const space = new ScanSpace(16)
    const outer = new Reassembly(plain, 100, { space })
    const inner = new Reassembly(plain, 100, { space })
    const got: string[] = []
    outer.push(Buffer.concat([frame('a'), frame('b')]), (batch) => {
      for (let i = 0; i < batch.length; i++) {
        inner.push(frame(`inner ${i}`), (nested) => got.push(nested.text(0)))
        got.push(batch.text(i))
      }
    })
    expect(got).toEqual(['inner 0', 'a', 'inner 1', 'b'])
  })

  it('takes a chunk from inside its own delivery after the one in work', () => {
    const { stream } = reader()
    const got: string[] = []
    const sink = (batch: FrameBatch) => {
      for (let i = 0; i < batch.length; i++) {
        got.push(batch.text(i))
        if (batch.text(i) === 'first') stream.push(frame('from inside'), sink)
      }
    }
    stream.push(Buffer.concat([frame('first'), frame('second')]), sink)
    expect(got).toEqual(['first', 'second', 'from inside'])
  })

  it('goes on with the rest of a chunk after a sink that threw', () => {
    const stream = new Reassembly(plain, 100, { space: new ScanSpace(1) })
    const got: string[] = []
    const wire = Buffer.concat([frame('one'), frame('two'), frame('three')])
    expect(() =>
      stream.push(wire, () => {
        throw new Error('consumer')
      }),
    ).toThrow('consumer')
    wire.fill(0)
    stream.push(frame('four'), (batch) => got.push(batch.text(0)))
    expect(got).toEqual(['two', 'three', 'four'])
  })

  it('delivers nothing after stop, of the chunk in work neither', () => {
    const stream = new Reassembly(plain, 100, { space: new ScanSpace(1) })
    const got: string[] = []
    stream.push(Buffer.concat([frame('one'), frame('two'), frame('th').subarray(0, 5)]), (batch) => {
      got.push(batch.text(0))
      stream.stop()
    })
    stream.push(frame('four'), (batch) => got.push(batch.text(0)))
    expect(got).toEqual(['one'])
    expect(stream.held).toBe(0)
    expect(stream.end()).toBeNull()
  })
})

describe('the hint of a protocol error', () => {
  const hint = (
    bytes: string | Uint8Array,
    format: Parameters<typeof resolveFormat>[0] = 'uint32be',
    limit = 1 << 20,
  ) => {
    const stream = new Reassembly(resolveFormat(format), limit)
    stream.push(Buffer.from(bytes as string), () => {})
    return stream.end()?.hint
  }

  it('tells HTTP and TLS', () => {
    expect(hint('GET / HTTP/1.1\r\n')).toContain('HTTP')
    expect(hint('POST /x HTTP/1.1\r\n', 'uint16be')).toContain('HTTP')
    expect(hint(Buffer.from('16030100c8010000c40303', 'hex'))).toContain('TLS')
  })

  it('tells the other byte order', () => {
    expect(hint(Buffer.from('0500000048454c4c4f', 'hex'))).toContain('little-endian')
    expect(hint(Buffer.from('0000000548454c4c4f', 'hex'), 'uint32le')).toContain('big-endian')
  })

  it('tells a length that counts its header', () => {
    expect(hint(Buffer.from('0000000948454c4c4f', 'hex'))).toContain('counts'.slice(0, 5))
    expect(hint(Buffer.from('0000000948454c4c4f', 'hex'))).toContain('lengthAdjustment')
  })

  it('is absent when nothing fits, and for a greeting that is not at the start', () => {
    expect(hint(Buffer.from('ffffffff', 'hex'))).toBeUndefined()
    const stream = new Reassembly(plain, 100)
    stream.push(Buffer.concat([frame('fine'), Buffer.from('GET / HTTP/1.1')]), () => {})
    expect(stream.error?.code).toBe('ERR_FRAME_TOO_LARGE')
    expect(stream.error?.hint).toBeUndefined()
  })
})
