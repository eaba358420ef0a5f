/** Another process: one of ../programs, its answers to questions, and its end with the test's. */
import { type ChildProcess, type ForkOptions, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

export interface Program {
  readonly child: ChildProcess
  /** A unix socket's path in a folder of its own; the program listens there if that is what it does. */
  readonly path: string
  ask<T>(question: string, value?: unknown): Promise<T>
  /** Asks until the server's counter is at least `value`. */
  until(counter: string, value: number): Promise<void>
  /** Code or signal it ended with. */
  readonly exit: Promise<number | string>
  /** What it has written to standard error. */
  errors(): string
}

export const programs = new URL('../programs/', import.meta.url)

/** Starts `name` with `setup` as its argument; settles when it says that it is ready. */
export async function startProgram(
  name: string,
  setup: object,
  options: ForkOptions & { readonly path?: string } = {},
): Promise<Program> {
  const directory = await mkdtemp(join(tmpdir(), 'fw-'))
  const path = options.path ?? join(directory, 's')
  const child = fork(fileURLToPath(new URL(name, programs)), [JSON.stringify({ path, ...setup })], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    ...options,
  })
  let errors = ''
  child.stderr?.on('data', (chunk) => {
    errors += chunk
  })
  const exit = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string)
  const waiting = new Map<number, (value: never) => void>()
  let last = 0
  child.on('message', ({ id, value }: { id: number; value: never }) => {
    waiting.get(id)?.(value)
    waiting.delete(id)
  })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exit
    await rm(directory, { recursive: true, force: true })
  })
  const answer = <T>(id: number): Promise<T> =>
    Promise.race([
      new Promise<T>((resolve) => waiting.set(id, resolve)),
      exit.then((how) => {
        throw new Error(`${name} ended with ${how}: ${errors}`)
      }),
    ])
  const ask = <T>(question: string, value?: unknown): Promise<T> => {
    const id = ++last
    const answered = answer<T>(id)
    child.send({ id, question, value })
    return answered
  }
  await answer(0)
  return {
    child,
    path,
    ask,
    exit,
    errors: () => errors,
    until: async (counter, value) => {
      for (;;) {
        const { stats } = await ask<{ stats: Record<string, number> }>('stats')
        if (stats[counter] >= value) return
      }
    },
  }
}
