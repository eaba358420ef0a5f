// Hours in minutes: thousands of connections that are opened, half-closed, killed, paused and sent frames of all sizes,
// on both backends, each in a process of its own. Every byte is checked; memory and descriptors of the servers are
// measured while it runs and must be flat.
//   npm run soak -- MINUTES
import { fork } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { connect as connectRaw } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { connect, createServer } from 'framewire'

const BACKENDS = ['native', 'js']
/** Connections of one backend at a time. */
const WIDTH = 40
const MIB = 1024 * 1024

function randomizer(seed) {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0
    return state / 2 ** 32
  }
}

/** Bytes that tell which connection and frame they belong to: a window into a table of random bytes. */
const table = (() => {
  const random = randomizer(7)
  return Buffer.from(Array.from({ length: 65_536 }, () => random() * 256))
})()

function payloadOf(connection, frame, size) {
  const start = (connection * 7919 + frame * 104_729) % 65_536
  const bytes = Buffer.allocUnsafe(size)
  for (let at = 0, from = start; at < size; from = 0) at += table.copy(bytes, at, from)
  return bytes
}

/** Mostly small, now and then up to 1 MiB. */
function sizeOf(random) {
  return Math.floor(random() ** 20 * MIB)
}

// --- the server's process

async function serve({ backend, path }) {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  let paused = 0
  const server = createServer({ backend, writeTimeout: 60_000 }, (connection) => {
    let count = 0
    connection.on('frame', (payload) => {
      connection.send(payload)
      // Every now and then it does not listen for a while.
      if (++count % 97 !== 0) return
      paused++
      connection.pause()
      setTimeout(() => connection.resume(), 20)
    })
  })
  process.on('message', (question) => {
    if (question === 'stop') {
      void server.close({ timeout: 1000 }).then(() => process.exit())
      return
    }
    collect()
    const { rss, arrayBuffers } = process.memoryUsage()
    process.send({
      rss,
      arrayBuffers,
      paused,
      descriptors: readdirSync('/proc/self/fd').length,
      stats: server.stats(),
    })
  })
  process.on('disconnect', () => process.exit())
  await server.listen(path)
  process.send('ready')
}

// --- the clients' side

class Tally {
  opened = 0
  whole = 0
  halfClosed = 0
  killed = 0
  cut = 0
  frames = 0
  bytes = 0
  wrong = []
}

/** Sends frames, keeps up to 32 under way, and checks what comes back. Resolves when it is closed. */
async function converse(backend, path, id, random, tally) {
  const connection = await connect({ backend, path })
  tally.opened++
  const total = 1 + Math.floor(random() ** 3 * 200)
  const isKilled = random() < 0.3
  const killAt = isKilled ? Math.floor(random() * total) : -1
  const sizes = []
  let sent = 0
  let received = 0
  return new Promise((resolve) => {
    const fill = () => {
      while (sent < total && sent - received < 32) {
        const size = sizeOf(random)
        sizes.push(size)
        if (!connection.send(payloadOf(id, sent++, size))) break
      }
      if (sent === total && connection.writable) {
        // Half-closed while replies are still under way.
        connection.end()
        tally.halfClosed++
      }
    }
    connection.on('drain', fill)
    connection.on('end', () => connection.end())
    connection.on('frame', (payload) => {
      if (payload.length !== sizes[received] || !payload.equals(payloadOf(id, received, payload.length))) {
        tally.wrong.push(`connection ${id}, frame ${received}: ${payload.length} bytes`)
      }
      received++
      tally.frames++
      tally.bytes += payload.length
      if (received === killAt) {
        tally.killed++
        connection.destroy()
        return
      }
      fill()
    })
    connection.on('close', (error) => {
      if (!isKilled && (received !== total || error !== undefined)) {
        tally.wrong.push(`connection ${id}: ${received} of ${total} frames, ${error?.code}`)
      } else if (received === total) tally.whole++
      resolve()
    })
    fill()
  })
}

/** A stranger: garbage, a cut frame, a reset. */
function intrude(path, random, tally) {
  return new Promise((resolve) => {
    const socket = connectRaw(path)
    socket.on('error', () => {})
    socket.on('close', resolve)
    socket.on('connect', () => {
      const kind = Math.floor(random() * 3)
      const cut = Buffer.alloc(4 + Math.floor(random() * 5000))
      cut.writeUInt32BE(kind === 0 ? 0xffffffff : 6000)
      socket.write(cut)
      socket.resume()
      tally.cut++
      if (kind === 1) socket.end()
      if (kind === 2) setImmediate(() => socket.destroy())
    })
  })
}

async function keepBusy(backend, path, until, tally) {
  let id = 0
  const one = async (lane) => {
    const random = randomizer(lane + 1)
    while (performance.now() < until) {
      if (random() < 0.15) await intrude(path, random, tally)
      else await converse(backend, path, ++id, random, tally)
    }
  }
  await Promise.all(Array.from({ length: WIDTH }, (_, lane) => one(lane)))
}

function ask(child) {
  return new Promise((resolve) => {
    child.once('message', resolve)
    child.send('measure')
  })
}

async function soak(backend, directory, minutes) {
  const path = join(directory, backend)
  const child = fork(fileURLToPath(import.meta.url), ['--serve', JSON.stringify({ backend, path })])
  const exit = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)))
  await new Promise((resolve) => child.once('message', resolve))
  const tally = new Tally()
  const idle = await ask(child)
  const end = performance.now() + minutes * 60_000
  // A tenth to warm up; then two samples in the same state, with everybody gone.
  await keepBusy(backend, path, performance.now() + minutes * 6000, tally)
  const warm = await settled(child)
  let peak = warm
  const sampler = setInterval(async () => {
    const now = await ask(child)
    if (now.rss > peak.rss) peak = now
  }, 5000)
  await keepBusy(backend, path, end, tally)
  clearInterval(sampler)
  const over = await settled(child)
  child.send('stop')
  const code = await exit
  return { backend, tally, idle, warm, peak, over, code }
}

/** Measured when the last connection is gone. */
async function settled(child) {
  for (;;) {
    const now = await ask(child)
    if (now.stats.connections === 0) return now
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

const mib = (bytes) => `${(bytes / MIB).toFixed(1)} MiB`

function report(results, minutes) {
  const rows = {
    'connections opened': (r) => r.tally.opened,
    'of them answered to the last frame': (r) => r.tally.whole,
    'half-closed with replies under way': (r) => r.tally.halfClosed,
    'killed in the middle': (r) => r.tally.killed,
    'strangers (garbage, cut frames, resets)': (r) => r.tally.cut,
    'pauses of the reader': (r) => r.over.paused,
    'frames checked': (r) => r.tally.frames,
    'bytes checked': (r) => `${(r.tally.bytes / 1024 ** 3).toFixed(2)} GiB`,
    'frames lost, changed or doubled': (r) => r.tally.wrong.length,
    'resident after warming up': (r) => mib(r.warm.rss),
    'resident at most': (r) => mib(r.peak.rss),
    'resident at the end': (r) => mib(r.over.rss),
    'descriptors, idle and at the end': (r) => `${r.idle.descriptors}, ${r.over.descriptors}`,
    'held bytes at the end': (r) => r.over.stats.heldBytes,
  }
  console.log(`\n| ${minutes} minutes | ${results.map((r) => r.backend).join(' | ')} |`)
  console.log(`|---|${results.map(() => '---|').join('')}`)
  for (const [name, value] of Object.entries(rows)) {
    console.log(`| ${name} | ${results.map((r) => value(r)).join(' | ')} |`)
  }
}

function verdicts({ backend, tally, idle, warm, over, code }) {
  const said = tally.wrong.slice(0, 10).map((text) => `${backend}: ${text}`)
  if (over.rss - warm.rss > 48 * MIB)
    said.push(`${backend}: resident memory grew by ${mib(over.rss - warm.rss)}`)
  if (over.descriptors > idle.descriptors)
    said.push(`${backend}: ${over.descriptors - idle.descriptors} descriptors are left`)
  if (over.stats.heldBytes !== 0) said.push(`${backend}: ${over.stats.heldBytes} bytes are held by nobody`)
  if (code !== 0) said.push(`${backend}: the server ended with ${code}`)
  return said
}

async function main() {
  const minutes = Number(process.argv[2] ?? 1)
  if (!(minutes > 0)) {
    console.error('npm run soak -- MINUTES')
    process.exit(1)
  }
  const directory = mkdtempSync(join(tmpdir(), 'fw-soak-'))
  try {
    const results = await Promise.all(BACKENDS.map((backend) => soak(backend, directory, minutes)))
    report(results, minutes)
    const said = results.flatMap(verdicts)
    for (const line of said) console.error(line)
    process.exitCode = said.length === 0 ? 0 : 1
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

await (process.argv[2] === '--serve' ? serve(JSON.parse(process.argv[3])) : main())
