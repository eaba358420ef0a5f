/** The backends that this run is about, and programs in other languages as clients. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

export const backends: readonly ('js' | 'native')[] =
  process.env.FRAMEWIRE_BACKEND === 'js' ? ['js'] : ['js', 'native']

/** Fails with the way out where the language is missing: a test that is left out proves nothing. */
export function needs(command: string, remedy: string): void {
  if (spawnSync(command, ['--version']).error) throw new Error(`${command} is not installed: ${remedy}`)
}

export interface Outcome {
  readonly reply: string
  readonly status: number | null
}

/** Runs a program beside this file, with `input` on its standard input. */
export async function run(
  command: string,
  file: string,
  args: string[],
  input: string | Buffer,
): Promise<Outcome> {
  const script = fileURLToPath(new URL(file, import.meta.url))
  const child: ChildProcess = spawn(command, [script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin?.end(input)
  const [reply, [status]] = await Promise.all([
    text(child.stdout as NodeJS.ReadableStream),
    once(child, 'exit'),
  ])
  return { reply, status }
}
