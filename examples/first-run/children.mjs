// Processes of this run: started, asked one thing at a time, ended. Knows no party and no figure.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/**
 * Server and load generator share one core where the system lets us say so: a rate is then what both sides cost
 * together, and not how long it takes to wake a core that sleeps.
 */
export const sharesCore =
  process.platform === 'linux' && spawnSync('taskset', ['-c', '0', 'true']).status === 0

/** Starts `file` with `args`; `ask(message)` gives its answer to one message, `stop()` ends it. */
export async function startChild(file, args) {
  const script = fileURLToPath(new URL(file, import.meta.url))
  const command = [process.execPath, script, ...args]
  if (sharesCore) command.unshift('taskset', '-c', '0')
  const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const exited = once(child, 'exit')
  const failed = exited.then(([code, signal]) => {
    throw new Error(`${file} ${args.join(' ')} ended with ${signal ?? code}`)
  })
  // Whoever asks hears of it; a child that is stopped ends too, and nobody asks then.
  failed.catch(() => undefined)
  const answer = async () => (await Promise.race([once(child, 'message'), failed]))[0]
  await answer()
  return {
    ask(message) {
      child.send(message)
      return answer()
    },
    async stop() {
      child.kill()
      await exited
    },
  }
}
