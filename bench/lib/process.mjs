// Processes under measurement: a server that is asked for reports, a generator that prints one line. Every one is
// bounded in time and ended by its own handle.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

const READY_MS = 15_000
const REPORT_MS = 30_000

function within(ms, promise, what) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${ms} ms`)), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

function start(command, env) {
  const child = spawn(command[0], command.slice(1), {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  const lines = []
  const waiting = []
  let said = ''
  child.stderr.on('data', (chunk) => {
    said = (said + chunk).slice(-4000)
  })
  child.stdin.on('error', () => {})
  createInterface({ input: child.stdout }).on('line', (line) => {
    const next = waiting.shift()
    if (next) next.resolve(line)
    else lines.push(line)
  })
  const gone = new Promise((resolve) => {
    const end = (code, signal) => {
      for (const next of waiting) next.reject(new Error(`ended (${signal ?? code}) ${said}`.trim()))
      waiting.length = 0
      resolve({ code, signal, said })
    }
    child.once('close', end)
    child.once('error', (error) => {
      said = error.message
      end(-1, null)
    })
  })
  const line = () =>
    lines.length
      ? Promise.resolve(lines.shift())
      : new Promise((resolve, reject) => waiting.push({ resolve, reject }))
  return { child, line, gone }
}

/** Peak resident bytes as the kernel counts them for this program; the C library's figure inherits its parent's. */
function peakOf(pid, fallback) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return Number(/^VmHWM:\s+(\d+)/m.exec(status)[1]) * 1024
  } catch {
    return fallback
  }
}

export class Server {
  constructor(command, env) {
    this.process = start(command, env)
  }

  async ready() {
    const line = await within(READY_MS, this.process.line(), 'start')
    if (line !== 'ready') throw new Error(`said ${line} instead of ready`)
  }

  /** Counts, CPU microseconds and memory now; with `gc` after a collection of garbage. */
  async report(gc = false) {
    this.process.child.stdin.write(gc ? 'gc\n' : 'report\n')
    const report = JSON.parse(await within(REPORT_MS, this.process.line(), 'report'))
    return { ...report, peak: peakOf(this.process.child.pid, report.peak) }
  }

  async stop() {
    const { child, gone } = this.process
    child.stdin.end()
    try {
      await within(2000, gone, 'end')
    } catch {
      child.kill('SIGKILL')
      await gone
    }
  }
}

/** Runs a generator to its end and gives its result. */
export async function generate(command, limitMs) {
  const { child, line, gone } = start(command)
  child.stdin.end()
  try {
    const result = await within(limitMs, line(), 'generator')
    await within(5000, gone, 'end of generator')
    return JSON.parse(result)
  } finally {
    if (child.exitCode === null) child.kill('SIGKILL')
  }
}

/** A generator that holds connections open until told to finish. */
export class Holder {
  constructor(command) {
    this.process = start(command)
  }

  held(limitMs) {
    return within(limitMs, this.process.line(), 'opening connections')
  }

  async finish(limitMs) {
    this.process.child.stdin.write('finish\n')
    return JSON.parse(await within(limitMs, this.process.line(), 'finishing'))
  }

  async stop() {
    if (this.process.child.exitCode === null) this.process.child.kill('SIGKILL')
    await this.process.gone
  }
}
