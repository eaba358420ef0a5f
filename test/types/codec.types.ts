import {
  type ErrorCode,
  encodeFrame,
  type FormatPreset,
  type FrameBatch,
  FrameDecoder,
  FrameEncoder,
  type FrameError,
  type FrameFormat,
} from 'framewire/codec'
import { expectTypeOf } from 'vitest'

/** Compiled by types.test.ts, never run: what is published of the codec. */
export function published(): void {
  expectTypeOf<FrameDecoder['format']['lengthBytes']>().toEqualTypeOf<0 | 1 | 2 | 3 | 4 | 8>()
  expectTypeOf<FrameFormat['lengthBytes']>().toEqualTypeOf<1 | 2 | 3 | 4 | 8 | 'varint'>()
  expectTypeOf<'swoole:N'>().toExtend<FormatPreset>()
  expectTypeOf<'swoole:X'>().not.toExtend<FormatPreset>()
  expectTypeOf(encodeFrame('x')).toEqualTypeOf<Buffer>()
  expectTypeOf(new FrameEncoder().encode).parameter(0).toExtend<string | ArrayBufferView | ArrayBufferLike>()
  expectTypeOf(new FrameDecoder().push(new Uint8Array(0))).toEqualTypeOf<Buffer[]>()
  expectTypeOf(new FrameDecoder().push(new Uint8Array(0), () => {})).toEqualTypeOf<number>()
  expectTypeOf<FrameBatch['start']>().toEqualTypeOf<(i: number) => number>()
  expectTypeOf<ReturnType<FrameBatch['json']>>().toEqualTypeOf<unknown>()
  expectTypeOf<FrameError['code']>().toEqualTypeOf<ErrorCode>()
  expectTypeOf<FrameError['declared']>().toEqualTypeOf<number | undefined>()
  expectTypeOf<FrameDecoder>().toExtend<{ readable: ReadableStream<Buffer> }>()
}

/** What is internal is not there. */
export function internal(): void {
  expectTypeOf<FrameBatch>().not.toHaveProperty('table')
  expectTypeOf<FrameBatch>().not.toHaveProperty('expire')
  expectTypeOf<FrameBatch>().not.toHaveProperty('detach')
}
