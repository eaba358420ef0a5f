// The load generator in JavaScript: the modes of c/loadgen.c over any adapter, and the same line of JSON at the
// end. It is what drives protocols of their own (ws, zeromq, node-ipc), and everything where no C compiler is.
//
// An adapter: connect(address) => { send(payload) => boolean, onDrain(f), onMessage(f), finish() => Promise }.
// `finish` ends the client's side and resolves when the server has seen everything.
// Optional: headerBytes of each frame on the wire, prepare(bytes) => what `send` takes, same(received, prepared) => boolean.
import { parseArgs } from 'node:util'
import { build } from 'hdr-histogram-js'
import { OK_REPLY, payloadOf } from '../parties/contract.mjs'

/** The i-th of a hundred mixed sizes, as in c/common.h. */
function mixedSize(i) {
  if (i === 50) return 256 * 1024
  return i % 11 === 5 ? 4096 : 64
}

function readOptions() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      size: { type: 'string', default: '64' },
      seconds: { type: 'string', default: '1' },
      frames: { type: 'string', default: '0' },
      outstanding: { type: 'string', default: '64' },
      connections: { type: 'string', default: '0' },
      header: { type: 'string', default: 'be32' },
      reply: { type: 'string', default: OK_REPLY },
    },
  })
  const [mode, address] = positionals
  const port = /^(?:(.*):)?(\d+)$/.exec(address)
  return {
    mode,
    address,
    target: port ? { host: port[1] || '127.0.0.1', port: Number(port[2]) } : { path: address },
    sizes:
      values.size === 'mixed' ? Array.from({ length: 100 }, (_, i) => mixedSize(i)) : [Number(values.size)],
    ms: Number(values.seconds) * 1000,
    frames: Number(values.frames),
    outstanding: mode === 'pingpong' ? 1 : Number(values.outstanding),
    connections: Number(values.connections) || (mode === 'receive' ? 1 : 16),
    reply: values.reply,
  }
}

/** A cycle of payloads; `single` gives the one that servers send. */
function cycleOf({ sizes }, adapter, single) {
  const count = single
    ? 1
    : sizes.length > 1
      ? sizes.length
      : Math.max(1, Math.min(64, (65536 / (sizes[0] + 4)) | 0))
  const cycle = Array.from({ length: count }, (_, i) => payloadOf(sizes[i % sizes.length], i))
  return adapter.prepare ? cycle.map((payload) => adapter.prepare(payload)) : cycle
}

const sameBytes = (received, sent) => Buffer.compare(received, sent) === 0

class Run {
  constructor(options, adapter) {
    this.options = options
    this.adapter = adapter
    this.same = adapter.same ?? sameBytes
    this.result = { mode: options.mode, frames: 0, bytes: 0, payloadBytes: 0, seconds: 0 }
    this.errors = 0
    this.histogram = null
  }

  begin() {
    this.start = performance.now()
    this.cpu = process.cpuUsage()
    this.deadline = this.start + this.options.ms
  }

  measureLatency() {
    this.histogram = build({ bitBucketSize: 64, numberOfSignificantValueDigits: 3, useWebAssembly: false })
  }

  /** Over by count when one was given, else by the clock. */
  over(sent, now) {
    return this.options.frames ? sent >= this.options.frames : now >= this.deadline
  }

  stop() {
    this.result.seconds = (performance.now() - this.start) / 1000
    const { user, system } = process.cpuUsage(this.cpu)
    this.result.cpu = user + system
  }

  print() {
    const header = this.adapter.headerBytes ?? 0
    this.result.bytes = this.result.payloadBytes + this.result.frames * header
    const at = (q) => Number((this.histogram.getValueAtPercentile(q) / 1000).toFixed(2))
    const latency = this.histogram
      ? { p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max: this.histogram.maxValue / 1000 }
      : {}
    process.stdout.write(`${JSON.stringify({ ...this.result, ...latency, errors: this.errors })}\n`)
  }
}

async function receive(run) {
  const { options, adapter, result } = run
  const cycle = cycleOf(options, adapter)
  const connections = []
  for (let i = 0; i < options.connections; i++) connections.push(await adapter.connect(options.target))
  run.begin()
  const blast = (connection) =>
    new Promise((resolve) => {
      let at = 0
      const go = () => {
        while (at !== 0 || !run.over(result.frames, performance.now())) {
          const payload = cycle[at]
          if (++at === cycle.length) at = 0
          result.frames++
          result.payloadBytes += payload.length
          if (!connection.send(payload)) return connection.onDrain(go)
        }
        resolve(connection.finish())
      }
      go()
    })
  await Promise.all(connections.map(blast))
  run.stop()
}

async function send(run) {
  const { options, adapter, result } = run
  const [payload] = cycleOf(options, adapter, true)
  run.begin()
  const connection = await adapter.connect(options.target)
  connection.onMessage((received) => {
    if (result.frames++ === 0) run.begin()
    if (!run.same(received, payload)) run.errors++
    result.payloadBytes += received.length
  })
  connection.start?.()
  await connection.ended
  run.stop()
}

/** `outstanding` frames in flight on each connection; every reply is compared and timed. */
async function echo(run, count, outstanding) {
  const { options, adapter, result } = run
  const cycle = cycleOf(options, adapter)
  run.measureLatency()
  const connections = []
  for (let i = 0; i < count; i++) connections.push(await adapter.connect(options.target))
  run.begin()
  let begun = 0
  const converse = (connection) =>
    new Promise((resolve) => {
      const sentAt = new Float64Array(outstanding)
      let sent = 0
      let back = 0
      const more = (now) => {
        while (sent - back < outstanding && !run.over(begun, now)) {
          sentAt[sent % outstanding] = now
          connection.send(cycle[sent % cycle.length])
          sent++
          begun++
        }
        if (back === sent) resolve(connection.finish())
      }
      connection.onMessage((received) => {
        const now = performance.now()
        if (!run.same(received, cycle[back % cycle.length])) run.errors++
        run.histogram.recordValue(Math.round((now - sentAt[back % outstanding]) * 1e6))
        back++
        result.frames++
        result.payloadBytes += received.length
        more(now)
      })
      more(run.start)
    })
  await Promise.all(connections.map(converse))
  run.stop()
}

async function exchange(run) {
  const { options, adapter, result } = run
  const [payload] = cycleOf(options, adapter, true)
  const expected = Buffer.from(options.reply)
  run.measureLatency()
  run.begin()
  let begun = 0
  const one = async () => {
    for (;;) {
      const now = performance.now()
      if (run.over(begun, now)) return
      begun++
      const reply = await adapter.request(options.target, payload)
      if (!run.same(reply, expected)) run.errors++
      run.histogram.recordValue(Math.round((performance.now() - now) * 1e6))
      result.frames++
      result.payloadBytes += reply.length
    }
  }
  await Promise.all(Array.from({ length: options.connections }, one))
  run.stop()
}

async function idle(run) {
  const { options, adapter, result } = run
  const held = await adapter.holdHalf(options.target, payloadOf(options.sizes[0]), options.connections)
  process.stdout.write(`{"held":${options.connections}}\n`)
  await new Promise((resolve) => process.stdin.once('data', resolve))
  run.begin()
  await held.finish()
  run.stop()
  result.frames = options.connections
  result.payloadBytes = options.connections * options.sizes[0]
}

const MODES = {
  receive,
  send,
  exchange,
  idle,
  echo: (run) => echo(run, 1, run.options.outstanding),
  pingpong: (run) => echo(run, 1, 1),
  conns: (run) => echo(run, run.options.connections, 1),
}

/** Runs the mode asked for on the command line and prints the result. */
export async function generate(adapter) {
  const run = new Run(readOptions(), adapter)
  await MODES[run.options.mode](run)
  run.print()
  process.exit(run.errors ? 1 : 0)
}
