import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'

/** Runs in a process of its own, where nothing of Node's is left in the global scope. */
const PROGRAM = `
const log = console.log
for (const name of ['Buffer', 'process', 'global', 'setImmediate']) Reflect.deleteProperty(globalThis, name)
const { FrameDecoder, FrameEncoder, encodeFrame } = await import('framewire/codec')
const words = ['', '8 bytes!', 'x'.repeat(100), '\\u4e2d'.repeat(2000), '\\ud800']
const frames = words.map((word) => encodeFrame(word))
const wire = new Uint8Array(await new Blob(frames).arrayBuffer())
const text = (bytes) => new TextDecoder().decode(bytes)
const decoder = new FrameDecoder()
const whole = decoder.push(wire)
const single = [...wire].flatMap((byte) => decoder.push(new Uint8Array([byte])))
decoder.end()
const stream = new ReadableStream({ start(c) { for (const word of words) c.enqueue(word); c.close() } })
const piped = []
for await (const payload of stream.pipeThrough(new FrameEncoder()).pipeThrough(new FrameDecoder())) piped.push(payload)
const expected = words.map((word) => word.replace('\\ud800', '\\ufffd'))
log(JSON.stringify([whole, single, piped].map((got) => got.length === 5 && got.every((p, i) => text(p) === expected[i]))))
log(whole.every((payload) => payload.constructor === Uint8Array))
`

describe('framewire/codec without Node', () => {
  it('decodes, encodes and pipes with Uint8Arrays alone', () => {
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', PROGRAM], {
      cwd: new URL('../../', import.meta.url),
      encoding: 'utf8',
      timeout: 20_000,
    })
    expect(output).toBe('[true,true,true]\ntrue\n')
  })
})
