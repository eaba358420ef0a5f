/**
 * What a connection that waits takes of the JS heap, the program's own closures included. Resident memory is a multiple of it that
 * the collector decides on, so it is this that is held; docs/benchmarks.md has the other.
 */
import { connect, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startProgram } from './suite/program.js'

const CONNECTIONS = 180
const ROUNDS = 5
/** Code the engine makes and gives up meanwhile is memory, too, and no connection's. */
const STEADY = ['--no-opt', '--no-sparkplug', '--no-flush-bytecode']

/** Opens connections that send half of a header each. */
function open(path: string, count: number): void {
  const sockets: Socket[] = []
  onTestFinished(() => sockets.forEach((socket) => void socket.destroy()))
  for (let i = 0; i < count; i++) {
    const socket = connect(path)
    sockets.push(socket)
    socket.write(Buffer.alloc(2))
  }
}

/** Every V8 has objects of other sizes: these are Node 20's. */
const isMeasured = process.env.FRAMEWIRE_BACKEND !== 'js' && process.versions.node.startsWith('20.')

describe.runIf(isMeasured)('memory of idle connections', () => {
  it.each([
    ['frame', 348],
    ['events', 480],
    ['loop', 980],
  ])('a connection with the consumer "%s" takes less than %i bytes of the heap', async (consumer, most) => {
    const program = await startProgram('server.mjs', { backend: 'native', consumer }, { execArgv: STEADY })
    let before = (await program.ask<{ heapUsed: number }>('memory')).heapUsed
    const each: number[] = []
    for (let round = 1; round <= ROUNDS; round++) {
      open(program.path, CONNECTIONS)
      await program.until('bytesReceived', 2 * round * CONNECTIONS)
      const { heapUsed } = await program.ask<{ heapUsed: number }>('memory')
      each.push((heapUsed - before) / CONNECTIONS)
      before = heapUsed
    }
    each.sort((a, b) => a - b)
    expect(each[ROUNDS >> 1]).toBeLessThan(most)
  })
})
