/** Live counters for whoever asks: a frame in, a frame of JSON out, over a unix socket of its own. Knows numbers only. */
import { createServer, type Server } from '../../server/index.js'
import { packageVersion } from '../package.js'
import type { ProcessStats } from './plan.js'

export interface StatusSource {
  readonly address: object
  readonly restarts: number
  stats(): Promise<readonly ProcessStats[]>
}

export interface Status {
  readonly version: string
  readonly pid: number
  readonly uptime: number
  readonly address: object
  /** Workers that died and were started again. */
  readonly restarts: number
  /** Sums over `processes`: what died took its counters along. */
  readonly total: Readonly<Record<string, number>>
  readonly processes: readonly ProcessStats[]
}

/** Only its owner may ask: counters tell what a service does. */
const MODE = 0o600

export async function serveStatus(path: string, source: StatusSource): Promise<Server<Buffer, string>> {
  const onRequest = async () => JSON.stringify(await snapshot(source))
  const server = createServer({ onRequest, idleTimeout: 60_000 }) as unknown as Server<Buffer, string>
  await server.listen({ path, mode: MODE })
  return server
}

async function snapshot(source: StatusSource): Promise<Status> {
  const processes = await source.stats()
  const { address, restarts } = source
  const total = sum(processes)
  return {
    version: packageVersion(),
    pid: process.pid,
    uptime: Math.round(process.uptime() * 1000) / 1000,
    address,
    restarts,
    total,
    processes,
  }
}

function sum(processes: readonly ProcessStats[]): Record<string, number> {
  const total: Record<string, number> = {}
  for (const { pid, uptime, backend, ...counters } of processes) {
    for (const [name, value] of Object.entries(counters)) total[name] = (total[name] ?? 0) + value
  }
  return total
}
