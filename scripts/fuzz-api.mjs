// Two backends, one story: random options, frames, cuts, ends and resets go to a server of each, and what it tells must
// be the same. Seeded; a difference is printed with its seed and the end of both stories.
//   npm run fuzz:api -- SECONDS [FIRST SEED]
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectRaw } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, encodeFrame } from 'framewire'

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
const MODES = ['frame', 'batch', 'iterator']

function randomizer(seed) {
  let state = Math.imul(seed, 0x9e3779b1) >>> 0
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0
    return state / 2 ** 32
  }
}

/** What one seed does, for both backends. */
export function planOf(seed) {
  const random = randomizer(seed)
  const pick = (list) => list[Math.floor(random() * list.length)]
  const options = { format: pick(FORMATS), maxFrameLength: pick(LIMITS) }
  if (random() < 0.2) options.errorReply = () => 'sorry'
  if (random() < 0.2) options.highWaterMark = 1 + Math.floor(random() * 5000)
  const pieces = []
  const count = Math.floor(random() * 12)
  for (let i = 0; i < count; i++) {
    const size = Math.floor(random() ** 5 * (random() < 0.1 ? 100_000 : 300))
    const payload = Buffer.alloc(size, i + 1)
    if (random() < 0.06)
      pieces.push(Buffer.from(Array.from({ length: 1 + Math.floor(random() * 12) }, () => random() * 256)))
    else if (random() < 0.02) pieces.push(Buffer.from('GET / HTTP/1.1\r\n\r\n'))
    else {
      try {
        pieces.push(encodeFrame(payload, options.format))
      } catch {
        // Too long for its length field.
      }
    }
  }
  let stream = Buffer.concat(pieces)
  if (random() < 0.25) stream = stream.subarray(0, Math.floor(random() * stream.length))
  const chunks = []
  for (let at = 0; at < stream.length; ) {
    const size = 1 + Math.floor(random() ** 3 * stream.length)
    chunks.push(stream.subarray(at, at + size))
    at += size
  }
  return { options, chunks, mode: pick(MODES), echoes: random() < 0.5, textual: random() < 0.3 }
}

function describe(error) {
  if (error === undefined) return 'close'
  const { code, declared, limit, received, hint } = error
  return `close ${JSON.stringify({ code, declared, limit, received, hint })}`
}

/** The events of the server's side and the bytes of the client's. */
export async function tell(backend, path, plan) {
  const { options, chunks, mode, echoes, textual } = plan
  const story = []
  const told = (payload) => story.push(`${payload.length} ${payload.subarray(0, 3).toString('hex')}`)
  const server = createServer({ backend, ...options })
  const closed = new Promise((resolve) => {
    server.on('connection', (connection) => {
      const reply = (payload) => {
        told(payload)
        if (echoes && payload.length <= options.maxFrameLength) {
          try {
            connection.send(textual ? payload.toString('latin1').slice(0, payload.length >> 1) : payload)
          } catch (error) {
            story.push(`send ${error.code}`)
          }
        }
      }
      connection.on('close', (error) => {
        story.push(describe(error))
        resolve()
      })
      if (mode === 'frame') connection.on('frame', reply)
      else if (mode === 'batch') {
        connection.onBatch((batch) => {
          for (let i = 0; i < batch.length; i++) {
            if (echoes && !textual && i % 2 === 0) {
              told(batch.view(i))
              try {
                connection.sendFrom(batch, i)
              } catch (error) {
                story.push(`send ${error.code}`)
              }
            } else reply(batch.copy(i))
          }
        })
      } else {
        const loop = async () => {
          for await (const payload of connection) reply(payload)
        }
        loop().catch(() => {})
      }
    })
  })
  await server.listen(path)
  const socket = connectRaw({ path, allowHalfOpen: true })
  const received = []
  socket.on('data', (chunk) => received.push(chunk))
  socket.on('error', () => {})
  const ended = new Promise((resolve) => {
    socket.once('end', resolve)
    socket.once('close', resolve)
  })
  for (const chunk of chunks) {
    socket.write(chunk)
    await new Promise((resolve) => setImmediate(resolve))
  }
  socket.end()
  await Promise.all([closed, ended])
  socket.destroy()
  await server.close({ timeout: 0 })
  // A loop's replies come after the turn; whether an error overtakes them is a matter of turns.
  if (mode !== 'iterator') story.push(Buffer.concat(received).toString('latin1'))
  return story
}

/** The first difference between the stories of both backends, or undefined. */
export async function compare(seed, directory) {
  const plan = planOf(seed)
  const [js, native] = await Promise.all(
    ['js', 'native'].map((backend) => tell(backend, join(directory, backend), plan)),
  )
  for (let i = 0; i < Math.max(js.length, native.length); i++) {
    if (js[i] !== native[i])
      return {
        seed,
        options: plan.options,
        mode: plan.mode,
        js: js.slice(i, i + 2),
        native: native.slice(i, i + 2),
      }
  }
  return undefined
}

async function main(seconds, first) {
  const directory = mkdtempSync(join(tmpdir(), 'fw-fuzz-'))
  const end = performance.now() + seconds * 1000
  let seed = first
  let differences = 0
  try {
    for (; performance.now() < end && differences < 5; seed++) {
      const difference = await compare(seed, directory)
      if (difference === undefined) continue
      differences++
      console.error(JSON.stringify(difference, undefined, 1).slice(0, 2000))
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  console.log(`${seed - first} plans from seed ${first} on, ${differences} differences`)
  process.exitCode = differences === 0 ? 0 : 1
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  await main(Number(process.argv[2] ?? 10), Number(process.argv[3] ?? 1))
}
