// Runs rows: parties in turn within a round, the order turned round every other time, so that what drifts on the
// machine falls on all alike. In the short suite a party's process lives for the whole row, else for one round.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { drive, measure, measureIdle, startServer } from './measure.mjs'
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
    const { place, clock, seconds, warmSeconds, env } = this.options
    const address = await this.address(row)
    const server = await startServer(name, row, address, place, { seconds, env: env?.(name) })
    try {
      // It compiles and grows before it is measured; what it answers is not looked at.
      await drive(server, name, row, address, { place, clock }, warmSeconds)
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
  async row(row, parties, onRound) {
    const [results] = await this.rows([{ row, parties }], (_, name, error) => onRound(name, error))
    return results
  }

  /** The same for rows that take turns. `onRound(row, name, error?)`; gives the results of each. */
  async rows(entries, onRound, rounds = roundsOf(entries[0].row, this.options)) {
    const turns = entries.flatMap(({ row, parties }) =>
      parties.map((name) => ({ row, name, samples: [], error: undefined })),
    )
    const running = new Map(entries.map(({ row }) => [row, new Map()]))
    try {
      for (let round = 0; round < rounds; round++) {
        for (const turn of round % 2 ? [...turns].reverse() : turns) {
          const { row, name, samples } = turn
          if (turn.error) continue
          try {
            samples.push(await this.round(name, row, running.get(row)))
          } catch (error) {
            turn.error = error.message
          }
          onRound(row, name, turn.error)
        }
      }
    } finally {
      for (const open of running.values()) for (const { server } of open.values()) await server.stop()
    }
    const result = ({ row, samples, error }) => (error ? { error } : summarize(samples, figureOf(row)))
    return entries.map(({ row }) =>
      Object.fromEntries(turns.filter((turn) => turn.row === row).map((turn) => [turn.name, result(turn)])),
    )
  }

  close() {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
