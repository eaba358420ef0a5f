/**
 * What a worker process runs: serves on the descriptor it inherited, reports to the supervisor, drains when told to,
 * and when the supervisor is gone.
 */
import { codeOf, describeError, UsageError } from '../exit.js'
import type { FromWorker, ToWorker } from './plan.js'
import { Service } from './service.js'

function tell(message: FromWorker): void {
  // A supervisor that is gone needs no reports; 'disconnect' ends this process.
  if (process.connected) process.send!(message, undefined, undefined, () => undefined)
}

let service: Service | undefined

async function drain(): Promise<void> {
  await service?.drain()
  process.exit(0)
}

async function start(message: ToWorker & { kind: 'start' }): Promise<void> {
  try {
    service = await Service.start(message.plan, { fd: message.fd }, (text) =>
      tell({ kind: 'problem', message: text }),
    )
    tell({ kind: 'ready', backend: service.backend })
  } catch (error) {
    const usage = error instanceof UsageError
    const message = error instanceof Error && codeOf(error) === undefined && !usage ? error.stack : undefined
    const failed: FromWorker = {
      kind: 'failed',
      message: message ?? describeError(error),
      code: codeOf(error),
      usage,
    }
    process.send!(failed, undefined, undefined, () => process.exit(1))
  }
}

process.on('message', (message: ToWorker) => {
  if (message.kind === 'start') void start(message)
  else if (message.kind === 'drain') void drain()
  else if (service !== undefined) tell({ kind: 'stats', id: message.id, stats: service.stats() })
})
process.on('disconnect', () => void drain())
process.on('SIGTERM', () => void drain())
// A terminal sends these to the whole group: what to do is the supervisor's decision.
process.on('SIGINT', () => undefined)
process.on('SIGHUP', () => undefined)
