/** Worker threads that are ended in the middle of their work. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Backend } from '../../contract/suite/harness.js'
import { folder } from '../../contract/suite/service.js'
import { preloading } from './preload.js'
import { startProgram } from './program.js'

const MIB = 1024 * 1024

/** What the addon has from malloc and has not given back, over all threads. */
interface Live {
  readonly bytes: number
  readonly blocks: number
}

interface Outcome {
  readonly times: number
  /** Resident bytes more than after the first few. */
  readonly grown: number
  /** Before any thread was started, at most, and when all were over; undefined: nobody counts. */
  readonly alone?: Live
  readonly busy?: Live
  readonly after?: Live
}

function isGlibc(): boolean {
  const report = process.report.getReport() as { header: { glibcVersionRuntime?: string } }
  return report.header.glibcVersionRuntime !== undefined
}

/** The counter stands in for glibc's malloc. A sanitizer has one of its own, and looks for what is left itself. */
function canCount(): boolean {
  return process.platform === 'linux' && process.env.LD_PRELOAD === undefined && isGlibc()
}

async function counting(): Promise<NodeJS.ProcessEnv> {
  const file = join(await folder(), 'live')
  await writeFile(file, Buffer.alloc(16))
  return preloading('live-memory', { LIVE_FILE: file })
}

export function threadFaults(backend: Backend): void {
  const counts = backend === 'native' && canCount()

  it(`21. 200 threads terminated under load leave a process that lives, and no memory behind${counts ? ', not a byte of the addon' : ''}`, async () => {
    const program = await startProgram(
      'terminate.mjs',
      { backend, times: 200 },
      counts ? { env: await counting() } : {},
    )
    const { times, grown, alone, busy, after } = await program.ask<Outcome>('run')
    expect(times).toBe(200)
    // A hub that stayed behind would be about 2 MiB, 150 times.
    expect(grown).toBeLessThan(60 * MIB)
    if (!counts) return
    // What the main thread has is there all the time.
    expect(busy!.blocks).toBeGreaterThan(alone!.blocks + 10)
    expect(after).toEqual(alone)
  }, 120_000)
}
