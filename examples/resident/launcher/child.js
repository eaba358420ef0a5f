// Child: one program that runs until it is told to end, or until this process is gone. Its output goes to a log file.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { program } from './programs.js'

const PATIENCE = 5000

export class Child {
  /** @param {string} file  @param {string[]} args  @param {{log: string, env?: object, signal?: NodeJS.Signals}} options */
  constructor(file, args, { log, env, signal = 'SIGTERM' }) {
    this.log = log
    this.signal = signal
    const output = openSync(log, 'a')
    this.process = spawn(program('setpriv'), ['--pdeathsig', 'TERM', file, ...args], {
      stdio: ['ignore', output, output],
      env: { ...process.env, ...env },
    })
    closeSync(output)
    this.ended = once(this.process, 'exit')
  }

  get pid() {
    return this.process.pid
  }

  get running() {
    return this.process.exitCode === null && this.process.signalCode === null
  }

  lastWords() {
    return readFileSync(this.log, 'utf8').trim().split('\n').slice(-15).join('\n')
  }

  kill() {
    this.process.kill('SIGKILL')
    return this.ended
  }

  async stop() {
    if (!this.running) return
    this.process.kill(this.signal)
    const timer = setTimeout(() => this.process.kill('SIGKILL'), PATIENCE)
    await this.ended
    clearTimeout(timer)
  }
}
