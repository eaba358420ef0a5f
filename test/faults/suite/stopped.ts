/** A process that stands still, as one that is stopped by hand, debugged, or whose machine sleeps. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect as connectRaw, type Socket } from 'node:net'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { type Backend, deferred, frame, until } from '../../contract/suite/harness.js'
import { folder, puppet } from '../../contract/suite/service.js'
import { startProgram } from './program.js'

/** Long enough for what comes before the stop on a busy machine. */
const LIMIT_MS = 1500

export function stoppedFaults(backend: Backend): void {
  const isStopped = (child: ChildProcess) => /\) T /.test(readFileSync(`/proc/${child.pid}/stat`, 'latin1')) // the state follows the name

  /** Stops `child`, lets `act` happen, and lets it go on when every deadline has passed. */
  async function whileStopped(child: ChildProcess, act: () => void): Promise<void> {
    child.kill('SIGSTOP')
    await until(() => isStopped(child))
    act()
    await new Promise((resolve) => setTimeout(resolve, LIMIT_MS + 200))
    child.kill('SIGCONT')
  }

  it('8. a server that was stopped reads what came meanwhile before it closes anybody', async () => {
    const options = { firstByteTimeout: LIMIT_MS, headerTimeout: LIMIT_MS, bodyTimeout: LIMIT_MS }
    const { child, path, until: counted } = await startProgram('server.mjs', { backend, options })
    const answers = new Map<number, Buffer>()
    const whole = frame('whole')
    const peers: Socket[] = []
    for (const [i, size] of [0, 2, 7].entries()) {
      const socket = connectRaw(path)
      peers.push(socket)
      onTestFinished(() => void socket.destroy())
      await once(socket, 'connect')
      socket.write(whole.subarray(0, size))
      socket.on('data', (bytes) => answers.set(i, bytes))
      socket.on('close', () => peers.splice(peers.indexOf(socket), 1))
    }
    await counted('connections', 3)
    await counted('bytesReceived', 9)
    await whileStopped(child, () => {
      for (const [i, size] of [0, 2, 7].entries()) peers[i].write(whole.subarray(size))
    })
    await until(() => answers.size === 3 || peers.length < 3)
    expect([...answers.values()].map(String)).toEqual([whole, whole, whole].map(String))
  })

  it('8. a client that was stopped reads replies that came meanwhile before it gives up', async () => {
    const path = join(await folder(), 's')
    const asked = deferred<void>()
    const sockets = new Set<Socket>()
    await puppet(path, (socket) => {
      socket.on('data', () => {
        sockets.add(socket)
        if (sockets.size === 2) asked.resolve()
      })
    })
    const options = { requestTimeout: LIMIT_MS }
    const { child, ask } = await startProgram('client.mjs', { backend, options }, { path })
    const replies = Promise.all([ask<string>('request', 'kept'), ask<string>('once', 'closed')])
    await asked.promise
    await whileStopped(child, () => {
      for (const socket of sockets) socket.write(frame('in time'))
    })
    expect(await replies).toEqual(['in time', 'in time'])
  })
}
