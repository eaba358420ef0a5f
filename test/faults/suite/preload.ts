/** A C library that is put between a process and its system: compiled when it is wanted. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { folder } from '../../contract/suite/service.js'
import { programs } from './program.js'

const run = promisify(execFile)

/** The environment of a process that starts with `name`, one of ../programs, behind what is preloaded already. */
export async function preloading(name: string, settings: Record<string, string>): Promise<NodeJS.ProcessEnv> {
  const library = join(await folder(), `${name}.so`)
  const source = fileURLToPath(new URL(`${name}.c`, programs))
  await run('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'])
  // A sanitizer wants to be the first.
  const preloads = [process.env.LD_PRELOAD, library].filter(Boolean).join(' ')
  return { ...process.env, ...settings, LD_PRELOAD: preloads }
}
