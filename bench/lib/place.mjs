// Which core a process runs on. Sharing one core shows the whole cost of both sides and no wake-up times of idle
// cores; apart shows what a busy client sees. Only Linux with taskset can pin.
import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'

const canPin = () => process.platform === 'linux' && spawnSync('taskset', ['--version']).status === 0

/** The prefix of the server's and of the generator's command line. */
export function placement(wanted) {
  if (!canPin()) return { place: 'unpinned', server: [], generator: [] }
  const last = availableParallelism() - 1
  const pin = (core) => ['taskset', '-c', String(core)]
  if (wanted === 'same') return { place: 'same', server: pin(last), generator: pin(last) }
  if (last === 0) return { place: 'same (there is one core)', server: pin(0), generator: pin(0) }
  return { place: 'apart', server: pin(last), generator: pin(last - 1) }
}
