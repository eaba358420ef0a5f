// The codec alone: what it encodes comes back however it is cut. Runs on every runtime.
import { encodeFrame, FrameDecoder } from 'framewire/codec'

const texts = ['', 'a', 'übergröße', 'x'.repeat(70_000)]
for (const format of ['uint8', 'uint16be', 'uint32be', 'uint64le', 'varint', 'workerman']) {
  const sent = texts
    .filter((text) => format !== 'uint8' || text.length < 100)
    .filter((text) => format !== 'uint16be' || text.length < 60_000)
  const wire = Buffer.concat(sent.map((text) => encodeFrame(new TextEncoder().encode(text), format)))
  const decoder = new FrameDecoder({ format })
  const received = []
  for (let at = 0; at < wire.length; at += 1000) {
    decoder.push(wire.subarray(at, at + 1000), (payload) => received.push(new TextDecoder().decode(payload)))
  }
  decoder.end()
  if (JSON.stringify(received) !== JSON.stringify(sent)) throw new Error(`${format}: frames changed`)
}
console.log('{"formats":6}')
