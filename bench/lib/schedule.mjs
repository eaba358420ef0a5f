// Runs rows: parties in turn within a round, the order turned round every other time, so that what drifts on the
// machine falls on all alike. In the short suite a party's process lives for the whole row, else for one round.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { measure, measureIdle, startServer, warm } from './measure.mjs'
import { summarize } from './stats.mjs'

const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

/** Memory varies little and takes long: fewer rounds. */
export const roundsOf = (row, { rounds, keep }) =>
  row.mode === 'idle' ? Math.min(rounds, keep ? 1 : 3) : rounds

/** The figure a row is judged by. */
export const figureOf = (row) => (row.mode === 'idle' ? 'bytesPerConnection' : 'rate')

export class Schedule {
  /** @param {{place: object, clock: 'wall' | 'cpu', rounds: number, seconds: number, warmSeconds: number, keep: boolean, connections: number, env?: (name: string) => object}} options */
  constructor(options) {
    this.options = options
    this.folder = mkdtempSync(join(tmpdir(), 'framewire-bench-'))
    this.sockets = 0
  }

  async address(row) {
    return row.tcp ? `127.0.0.1:${await freePort()}` : join(this.folder, `${this.sockets++}.sock`)
  }

  async open(name, row) {
    const { place, seconds, warmSeconds, env } = this.options
    const address = await this.address(row)
    const server = await startServer(name, row, address, place, { seconds, env: env?.(name) })
    try {
      await warm(name, row, address, place, warmSeconds)
    } catch (error) {
      await server.stop()
      throw error
    }
    return { server, address }
  }

  async round(name, row, running) {
    const { place, keep, connections } = this.options
    if (row.mode === 'idle') return measureIdle(name, row, await this.address(row), place, connections)
    const open = running.get(name) ?? (await this.open(name, row))
    if (keep) running.set(name, open)
    try {
      return await measure(open.server, name, row, open.address, this.options)
    } finally {
      if (!keep) await open.server.stop()
    }
  }

  /** The rounds of a row. `onRound(name, error?)` is told after each. Gives {party: summary | {error}}. */
  async row(row, parties, onRound, rounds = roundsOf(row, this.options)) {
    const samples = new Map(parties.map((name) => [name, []]))
    const failed = new Map()
    const running = new Map()
    try {
      for (let round = 0; round < rounds; round++) {
        for (const name of round % 2 ? [...parties].reverse() : parties) {
          if (failed.has(name)) continue
          try {
            samples.get(name).push(await this.round(name, row, running))
          } catch (error) {
            failed.set(name, error.message)
          }
          onRound(name, failed.get(name))
        }
      }
    } finally {
      for (const { server } of running.values()) await server.stop()
    }
    const results = {}
    for (const name of parties) {
      results[name] = failed.has(name)
        ? { error: failed.get(name) }
        : summarize(samples.get(name), figureOf(row))
    }
    return results
  }

  close() {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
