// Decode and encode in memory, without sockets: a process of its own that prints a line of JSON a result. Every
// task is run once and its counts and bytes are checked before it is timed with tinybench. Encoding has no native party:
// on both backends frames are written in JavaScript, to memory that the addon sends from.
import { parseArgs } from 'node:util'
import frameStream from 'frame-stream'
import FramedStream from 'framed-stream'
import * as itLengthPrefixed from 'it-length-prefixed'
import lengthPrefixed from 'length-prefixed-stream'
import { Duplex } from 'streamx'
import { Bench } from 'tinybench'
import { Reassembly } from '../dist/esm/codec/reassembly.js'
import { resolveFormat } from '../dist/esm/format.js'
import { encodeFrame, FrameDecoder } from '../dist/esm/index.js'
import { chooseTransport } from '../dist/esm/transport/choose.js'
import { frameOf, payloadOf } from './parties/contract.mjs'

const { values: flags } = parseArgs({
  options: {
    sizes: { type: 'string', default: '16,64,1024,16384,262144,1048576' },
    chunks: { type: 'string', default: 'whole,65536,1460,1' },
    ms: { type: 'string', default: '100' },
  },
})
const sizes = flags.sizes.split(',').map(Number)
const chunkings = flags.chunks.split(',')
const LIMIT = 16 * 1024 * 1024

/** Payloads of one size: bytes as the parties send them, letters, or JSON. */
function payloadFor(size, kind) {
  if (kind === 'text') return Buffer.alloc(size, 'abcdefghij klmnop')
  if (kind === 'json') return Buffer.from(JSON.stringify({ name: 'x'.repeat(Math.max(0, size - 11)) }))
  return payloadOf(size)
}

function cut(stream, chunking) {
  if (chunking === 'whole') return [stream]
  const step = Number(chunking)
  const chunks = []
  for (let at = 0; at < stream.length; at += step) chunks.push(stream.subarray(at, at + step))
  return chunks
}

/** Some frames of one size, in chunks; a byte at a time gets a shorter stream. */
function corpusOf(size, chunking, kind, wire = frameOf) {
  const payload = payloadFor(size, kind)
  const bytes = chunking === '1' ? 16 * 1024 : 512 * 1024
  const frames = Math.max(1, Math.floor(bytes / payload.length))
  const frame = wire(payload)
  const stream = Buffer.concat(Array.from({ length: frames }, () => frame))
  return { frames, bytes: frames * payload.length, chunks: cut(stream, chunking) }
}

const format = resolveFormat('uint32be')

/** How a batch is taken: each returns what was seen as [frames, payload bytes], bytes as far as the way shows them. */
const DELIVERIES = {
  offsets(batch) {
    let bytes = 0
    for (let i = 0; i < batch.length; i++) bytes += batch.end(i) - batch.start(i)
    return bytes
  },
  views(batch) {
    let bytes = 0
    for (let i = 0; i < batch.length; i++) bytes += batch.view(i).length
    return bytes
  },
  copies(batch) {
    let bytes = 0
    for (let i = 0; i < batch.length; i++) bytes += batch.copy(i).length
    return bytes
  },
  text(batch) {
    let bytes = 0
    for (let i = 0; i < batch.length; i++) bytes += batch.text(i).length
    return bytes
  },
  json(batch) {
    let bytes = 0
    for (let i = 0; i < batch.length; i++) bytes += batch.json(i).name.length + 11
    return bytes
  },
}

function byBatch(corpus, deliver, scanner) {
  const decoder = new Reassembly(format, LIMIT, { scanner })
  return () => {
    let frames = 0
    let bytes = 0
    const take = (batch) => {
      frames += batch.length
      bytes += deliver(batch)
    }
    for (const chunk of corpus.chunks) decoder.push(chunk, take)
    return { frames, bytes }
  }
}

function byDecoder(corpus, backend) {
  const decoder = new FrameDecoder({ backend })
  return () => {
    let frames = 0
    let bytes = 0
    const take = (payload) => {
      frames++
      bytes += payload.length
    }
    for (const chunk of corpus.chunks) decoder.push(chunk, take)
    return { frames, bytes }
  }
}

function byConcat(corpus) {
  let held = Buffer.alloc(0)
  return () => {
    let frames = 0
    let bytes = 0
    for (const chunk of corpus.chunks) {
      held = Buffer.concat([held, chunk])
      let at = 0
      while (held.length - at >= 4) {
        const size = held.readUInt32BE(at)
        if (held.length - at - 4 < size) break
        bytes += held.subarray(at + 4, at + 4 + size).length
        frames++
        at += 4 + size
      }
      held = held.subarray(at)
    }
    return { frames, bytes }
  }
}

/** A stream decoder is made anew for each pass and read to its end. */
function byStream(corpus, open) {
  return () =>
    new Promise((resolve, reject) => {
      let frames = 0
      let bytes = 0
      const decoder = open()
      decoder.out.on('data', (payload) => {
        frames++
        bytes += payload.length
      })
      decoder.out.once('end', () => resolve({ frames, bytes })).once('error', reject)
      for (const chunk of corpus.chunks) decoder.write(chunk)
      decoder.end()
    })
}

function openTransform(transform) {
  return { out: transform, write: (chunk) => transform.write(chunk), end: () => transform.end() }
}

function openFramed() {
  const raw = new Duplex()
  const out = new FramedStream(raw)
  return { out, write: (chunk) => raw.push(chunk), end: () => raw.push(null) }
}

function byIterator(corpus) {
  return () => {
    let frames = 0
    let bytes = 0
    for (const payload of itLengthPrefixed.decode(corpus.chunks)) {
      frames++
      bytes += payload.subarray().length
    }
    return { frames, bytes }
  }
}

const littleEndian = (payload) => {
  const frame = frameOf(payload)
  frame.writeUInt32LE(payload.length)
  return frame
}
const varint = (payload) => Buffer.from(itLengthPrefixed.encode.single(payload).subarray())

/** What finds frames in the addon; undefined without one. */
function nativeScanner() {
  try {
    return chooseTransport('native').createScanner()
  } catch (error) {
    if (error.code === 'ERR_FRAME_BACKEND_UNAVAILABLE') return undefined
    throw error
  }
}

function decodeTasks(size, chunking) {
  const corpus = corpusOf(size, chunking, 'bytes')
  const tasks = []
  const add = (party, delivery, from, run) =>
    tasks.push({ op: 'decode', size, chunking, party, delivery, corpus: from, run })
  for (const [delivery, deliver] of Object.entries(DELIVERIES)) {
    if (delivery === 'json' && size < 64) continue
    const own = ['text', 'json'].includes(delivery) ? corpusOf(size, chunking, delivery) : corpus
    add('framewire js', delivery, own, byBatch(own, deliver))
  }
  add('framewire js', 'own Buffers', corpus, byDecoder(corpus, 'js'))
  const scanner = nativeScanner()
  if (scanner) {
    for (const delivery of ['offsets', 'views'])
      add('framewire native', delivery, corpus, byBatch(corpus, DELIVERIES[delivery], scanner))
    add('framewire native', 'own Buffers', corpus, byDecoder(corpus, 'native'))
  }
  // One byte at a time these are quadratic; one size shows it.
  if (chunking === '1' && size !== 64) return tasks
  add('Buffer.concat loop', 'views', corpus, byConcat(corpus))
  const frameStreamOpen = () => openTransform(frameStream.decode())
  add('frame-stream', 'views', corpus, byStream(corpus, frameStreamOpen))
  const asVarint = corpusOf(size, chunking, 'bytes', varint)
  const lengthPrefixedOpen = () => openTransform(lengthPrefixed.decode())
  add('length-prefixed-stream', 'views', asVarint, byStream(asVarint, lengthPrefixedOpen))
  add('it-length-prefixed', 'views', asVarint, byIterator(asVarint))
  const asLittle = corpusOf(size, chunking, 'bytes', littleEndian)
  add('framed-stream', 'views', asLittle, byStream(asLittle, openFramed))
  return tasks
}

/** A Transform that encodes while it is written to; what a frame comes out in is counted whatever its pieces. */
function throughStream(encoder, size, headerBytes) {
  let bytes = 0
  encoder.on('data', (piece) => {
    bytes += piece.length
  })
  const payload = payloadFor(size, 'bytes')
  return () => {
    bytes = 0
    encoder.write(payload)
    return bytes - headerBytes
  }
}

/** It encodes when its queue is written to the raw stream, which is later: a pass ends with its last frame. */
function throughFramed(payload, frames) {
  let bytes = 0
  let left = 0
  let finish
  const raw = new Duplex({
    write(frame, done) {
      bytes += frame.length - 4
      if (--left === 0) finish()
      done(null)
    },
  })
  const out = new FramedStream(raw)
  return () =>
    new Promise((resolve) => {
      bytes = 0
      left = frames
      finish = () => resolve({ frames, bytes })
      for (let i = 0; i < frames; i++) out.write(payload)
    })
}

function encodeTasks(size) {
  const payload = payloadFor(size, 'bytes')
  const frames = Math.max(1, Math.floor(65_536 / size))
  const corpus = { frames, bytes: frames * size }
  const times = (encodeOne) => () => {
    let bytes = 0
    for (let i = 0; i < frames; i++) bytes += encodeOne()
    return { frames, bytes }
  }
  const task = (party, run, delivery = 'a Buffer each') => ({
    op: 'encode',
    size,
    chunking: 'whole',
    party,
    delivery,
    corpus,
    run,
  })
  const prefix = varint(payload).length - size
  return [
    task(
      'framewire js',
      times(() => encodeFrame(payload).length - 4),
    ),
    task(
      'Buffer.concat loop',
      times(() => {
        const header = Buffer.alloc(4)
        header.writeUInt32BE(size)
        return Buffer.concat([header, payload]).length - 4
      }),
    ),
    task('frame-stream', times(throughStream(frameStream.encode(), size, 4))),
    // It copies no payload, and so writes two pieces a frame.
    task(
      'length-prefixed-stream',
      times(throughStream(lengthPrefixed.encode(), size, prefix)),
      'header and payload apart',
    ),
    task(
      'it-length-prefixed',
      times(() => itLengthPrefixed.encode.single(payload).subarray().length - prefix),
    ),
    task('framed-stream', throughFramed(payload, frames)),
  ]
}

async function time(task) {
  const once = await task.run()
  const { frames, bytes } = task.corpus
  const { op, size, chunking, party, delivery } = task
  const name = { op, size, chunking, party, delivery }
  if (once.frames !== frames || once.bytes !== bytes) {
    return {
      ...name,
      error: `gave ${once.frames} frames, ${once.bytes} bytes instead of ${frames}, ${bytes}`,
    }
  }
  const bench = new Bench({
    time: Number(flags.ms),
    warmupTime: Number(flags.ms) / 4,
    iterations: 3,
    warmupIterations: 1,
  })
  bench.add('task', task.run)
  await bench.run()
  const { result } = bench.tasks[0]
  if (!result.latency) return { ...name, error: String(result.error ?? result.state) }
  const perSecond = 1000 / result.latency.p50
  return {
    ...name,
    rate: perSecond * frames,
    bytesPerSecond: perSecond * bytes,
    spread: result.latency.rme / 100,
  }
}

const tasks = []
for (const size of sizes) {
  for (const chunking of chunkings) {
    // A large frame a byte at a time says nothing that a small one does not.
    if (chunking === '1' && size > 16_384) continue
    tasks.push(...decodeTasks(size, chunking))
  }
  tasks.push(...encodeTasks(size))
}
process.stdout.write(`${JSON.stringify({ tasks: tasks.length })}\n`)
for (const task of tasks) process.stdout.write(`${JSON.stringify(await time(task))}\n`)
