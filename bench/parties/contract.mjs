// What every party of the bench agrees to: a process that serves one scenario at one address, prints "ready"
// when it listens, answers "report" on stdin with one line of JSON, and ends with its stdin. It knows nothing of
// how the party moves bytes.
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'

/** The reply to a whole frame in the exchange scenario. */
export const OK_REPLY = '{"res":"ok","msg":"长度相同"}'

/** Byte j of the payload of frame i of the generator's cycle; `send` repeats frame 0. As in c/common.h. */
export function payloadOf(size, i = 0) {
  const payload = Buffer.allocUnsafeSlow(size)
  for (let j = 0; j < size; j++) payload[j] = j * 31 + (j >> 8) * 17 + i * 7 + 5
  return payload
}

/** The payload behind a 4-byte big-endian length, in one piece. */
export function frameOf(payload) {
  const frame = Buffer.allocUnsafeSlow(4 + payload.length)
  frame.writeUInt32BE(payload.length, 0)
  frame.set(payload, 4)
  return frame
}

function readOptions() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      size: { type: 'string', default: '64' },
      seconds: { type: 'string', default: '1' },
      variant: { type: 'string', default: '' },
    },
  })
  const [scenario, address] = positionals
  const port = /^(?:(.*):)?(\d+)$/.exec(address)
  return {
    scenario,
    address,
    listen: port ? { host: port[1] || '127.0.0.1', port: Number(port[2]) } : { path: address },
    size: Number(values.size),
    seconds: Number(values.seconds),
    variant: values.variant,
  }
}

function report(counts) {
  const cpu = process.cpuUsage()
  const peak = process.resourceUsage().maxRSS * 1024
  return { ...counts, cpuUser: cpu.user, cpuSystem: cpu.system, rss: process.memoryUsage.rss(), peak }
}

/**
 * Runs the scenario asked for on the command line.
 * `scenarios[name](context)` starts listening and resolves when it does; `context.counts` is what it keeps.
 * A party that counts no frames (unframed) sets `counts.frames` to null and keeps `bytes`.
 */
export async function party(scenarios) {
  const options = readOptions()
  const counts = { frames: 0, payloadBytes: 0, bytes: 0, connections: 0, open: 0, errors: 0 }
  // To most parties a connection that holds half a frame is one that counts.
  const scenario = scenarios[options.scenario] ?? (options.scenario === 'idle' ? scenarios.count : undefined)
  if (!scenario) {
    process.stderr.write(`this party has no scenario ${options.scenario}\n`)
    process.exit(3)
  }
  await scenario({ ...options, counts })
  const commands = createInterface({ input: process.stdin })
  commands.on('line', (line) => {
    if (line === 'gc') globalThis.gc?.()
    process.stdout.write(`${JSON.stringify(report(counts))}\n`)
  })
  commands.on('close', () => process.exit(0))
  process.stdout.write('ready\n')
}

/**
 * Calls `write()` until it returns false or the time is over; `drain` is called with what to do when there is
 * room again, `done` at the end. The clock is read once every 64 messages.
 */
export function pump({ seconds, counts, size, write, drain, done, pause }) {
  const deadline = performance.now() + seconds * 1000
  const run = () => {
    while (performance.now() < deadline) {
      for (let i = 0; i < 64; i++) {
        counts.frames++
        counts.payloadBytes += size
        if (!write()) {
          pause?.()
          drain(run)
          return
        }
      }
    }
    pause?.()
    done()
  }
  run()
}
