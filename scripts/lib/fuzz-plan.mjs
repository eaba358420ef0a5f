// What one seed of `npm run fuzz:api` does: options, the stream and how it is cut, who consumes it and how. Knows no backend
// and opens nothing. Everything in a plan is decided beforehand, so that two runs of it may differ in nothing.
import { encodeFrame, FrameDecoder } from 'framewire'

const FORMATS = [
  'uint8',
  'uint16be',
  'uint16le',
  'uint24be',
  'uint32be',
  'uint32le',
  'uint64be',
  'uint64le',
  'varint',
  'workerman',
  'erlang:2',
  'swoole:n',
  { lengthBytes: 2, endian: 'big', lengthOffset: 3, lengthAdjustment: 2, strip: 9 },
  { lengthBytes: 4, endian: 'little', lengthOffset: 2 },
  { lengthBytes: 2, endian: 'big', lengthAdjustment: -2, strip: 0 },
  { lengthBytes: 'varint', lengthOffset: 5 },
]
const LIMITS = [10, 255, 1000, 65_536, 16 * 1024 * 1024]
const TIMEOUTS = ['firstByteTimeout', 'headerTimeout', 'bodyTimeout', 'idleTimeout', 'writeTimeout']
/** Too long to end while a plan runs: they are set, kept and taken down, and must change nothing. */
const LONG = [0, 20_000, 60_000, 2 ** 31 - 1]
/** A deadline that does end, in plans whose peer stops: behind everything that was written in one piece before. */
const SHORT = 250

/** Who the package is: a server that hands connections on, one that answers, a client's connection, a client that asks. */
const SIDES = ['server', 'server', 'handler', 'handler', 'once', 'connection', 'requests']
const CONSUMERS = ['frame', 'batch', 'iterator', 'duplex', 'web']
/** What a handler does: what it returns, when, and whether it fails. */
const HANDLERS = ['answers', 'answers late', 'answers some', 'throws', 'rejects']

/** A decoder that refuses some payloads, and an encoder that refuses some values. */
const PICKY = {
  decode: (bytes) => {
    if (bytes.length % 7 === 3) throw new Error('picky')
    return bytes.toString('latin1')
  },
  encode: (text) => {
    if (text.length % 7 === 5) throw new Error('picky')
    return Buffer.from(text, 'latin1')
  },
}
const SERIALIZATIONS = ['text', 'json', PICKY]

function randomizer(seed) {
  let state = Math.imul(seed, 0x9e3779b1) >>> 0
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0
    return state / 2 ** 32
  }
}

/**
 * Budgets are set and not reached: how much is held at a moment depends on how reads were cut, and so does the frame at which
 * a small one would be exceeded.
 */
function channelOptions(random, pick) {
  const options = { format: pick(FORMATS), maxFrameLength: pick(LIMITS) }
  if (random() < 0.2) options.highWaterMark = 1 + Math.floor(random() * 5000)
  if (random() < 0.2) options.memoryBudget = pick([64 * 1024 * 1024, 1024 ** 3, Infinity])
  if (random() < 0.2) options.serialization = pick(SERIALIZATIONS)
  if (random() < 0.3) for (const name of TIMEOUTS) if (random() < 0.5) options[name] = pick(LONG)
  return options
}

/** Payloads, mostly small, with garbage and other protocols among them now and then. */
function streamOf(random, { format, serialization }, most) {
  const pieces = []
  const count = Math.floor(random() * (most + 1))
  for (let i = 0; i < count; i++) {
    const size = Math.floor(random() ** 5 * (random() < 0.1 ? 100_000 : 300))
    const isJson = serialization === 'json' && random() < 0.8
    const payload = isJson
      ? Buffer.from(JSON.stringify({ i, x: 'x'.repeat(size) }))
      : Buffer.alloc(size, i + 1)
    if (random() < 0.06)
      pieces.push(Buffer.from(Array.from({ length: 1 + Math.floor(random() * 12) }, () => random() * 256)))
    else if (random() < 0.02) pieces.push(Buffer.from('GET / HTTP/1.1\r\n\r\n'))
    else {
      try {
        pieces.push(encodeFrame(payload, format))
      } catch {
        // Too long for its length field.
      }
    }
  }
  const stream = Buffer.concat(pieces)
  return random() < 0.25 ? stream.subarray(0, Math.floor(random() * stream.length)) : stream
}

function chunksOf(random, stream) {
  const chunks = []
  for (let at = 0; at < stream.length; ) {
    const size = 1 + Math.floor(random() ** 3 * stream.length)
    chunks.push(stream.subarray(at, at + size))
    at += size
  }
  return chunks
}

/** Whether nothing follows the first whole frame: all but the last byte of the stream are none. */
function isOneFrame(stream, { format }) {
  let frames = 0
  try {
    new FrameDecoder({ format, maxFrameLength: Infinity }).push(stream.subarray(0, -1), () => frames++)
  } catch {
    return false
  }
  return frames === 0
}

/**
 * Where one frame is answered and the connection closed, a write behind it fails, and what the peer had not read by then it
 * does not read any more. So there either is nothing behind the first frame, or it is written together with it.
 */
function onceChunks(random, options) {
  const stream = streamOf(random, options, random() < 0.5 ? 1 : 11)
  return isOneFrame(stream, options) ? chunksOf(random, stream) : [stream]
}

/** The peer writes all it has at once and then nothing: some deadline closes the connection. */
function stall(plan) {
  const { options } = plan
  plan.stalls = true
  plan.chunks = [Buffer.concat(plan.chunks).subarray(0, 60_000)]
  for (const name of ['headerTimeout', 'bodyTimeout', 'idleTimeout']) options[name] = SHORT
  options.firstByteTimeout = plan.chunks[0].length === 0 ? SHORT : 0
}

/** What one seed does, for both backends. */
export function planOf(seed) {
  const random = randomizer(seed)
  const pick = (list) => list[Math.floor(random() * list.length)]
  const side = pick(SIDES)
  const options = channelOptions(random, pick)
  if (side !== 'connection' && side !== 'requests') {
    if (random() < 0.3) options.errorReply = () => 'sorry'
    if (random() < 0.2) options.maxPendingRequests = 1 + Math.floor(random() * 3)
  }
  const plan = {
    seed,
    side,
    options,
    chunks: side === 'once' ? onceChunks(random, options) : chunksOf(random, streamOf(random, options, 11)),
    consumer: pick(CONSUMERS),
    handler: pick(HANDLERS),
    echoes: random() < 0.5,
    textual: random() < 0.3,
    /** After how many frames the consumer pauses, and for how many turns. */
    pauseEvery: random() < 0.3 ? 1 + Math.floor(random() * 4) : Infinity,
    pauseTurns: 1 + Math.floor(random() * 3),
    /** Requests that a client sends. */
    questions: 1 + Math.floor(random() * 12),
    stalls: false,
  }
  // A connection that stops by itself; a client's has no deadline unless it is asked for.
  if (random() < 0.02 && side !== 'requests' && plan.pauseEvery === Infinity) stall(plan)
  return plan
}
