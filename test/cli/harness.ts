/** Runs the command as a process, and cleans up after it. Knows processes and temporary folders. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

export const MAIN = fileURLToPath(new URL('../../dist/esm/cli/main.js', import.meta.url))

/** A folder that is gone when the test is over. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fw-cli-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A handler module that answers with its process id and the payload. */
export function echoHandler(folder: string, name = 'handler.mjs', extra = ''): string {
  return file(folder, name, `export default (payload) => \`\${process.pid} \${payload}\`\n${extra}`)
}

export function file(folder: string, name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export class Process {
  readonly child: ChildProcess
  readonly done: Promise<Finished>
  stdout = ''
  stderr = ''
  #watchers: (() => void)[] = []
  #finished = false

  constructor(program: string, args: readonly string[], options: SpawnOptions = {}) {
    this.child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options })
    for (const name of ['stdout', 'stderr'] as const) {
      this.child[name]?.setEncoding('utf8').on('data', (text: string) => {
        this[name] += text
        this.#look()
      })
    }
    this.done = new Promise((resolve, reject) => {
      this.child.on('error', reject)
      this.child.on('close', (code, signal) => {
        this.#finished = true
        this.#look()
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr })
      })
    })
    onTestFinished(async () => {
      if (!this.#finished) this.child.kill('SIGKILL')
      await this.done
    })
  }

  get pid(): number {
    return this.child.pid!
  }

  /** Resolves with the match once stdout or stderr has it; rejects when the process ends without. */
  seen(pattern: RegExp, times = 1): Promise<RegExpMatchArray> {
    const everywhere = new RegExp(pattern.source, `${pattern.flags.replace('g', '')}g`)
    return new Promise((resolve, reject) => {
      const look = () => {
        const matches = [...`${this.stdout}\n${this.stderr}`.matchAll(everywhere)]
        const match = matches[times - 1]
        if (match !== undefined) resolve(match)
        else if (this.#finished) reject(new Error(`ended without ${pattern}: ${this.stdout}\n${this.stderr}`))
        else return false
        return true
      }
      if (!look()) this.#watchers.push(() => void look())
    })
  }

  #look(): void {
    for (const watcher of this.#watchers) watcher()
  }
}

export function framewire(args: readonly string[], options: SpawnOptions = {}): Process {
  return new Process(process.execPath, [MAIN, ...args], options)
}

/** Runs the command to its end. */
export function run(args: readonly string[], input = '', options: SpawnOptions = {}): Promise<Finished> {
  const started = framewire(args, options)
  started.child.stdin?.end(input)
  return started.done
}
