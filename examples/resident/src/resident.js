// The resident process, put together: tasks, push, the framed socket and the door for browsers.
import { pathToFileURL } from 'node:url'
import { openParts } from './parts.js'
import { Door } from './push/door.js'
import { Push } from './push/push.js'
import { commands } from './socket/commands.js'
import { createExchange } from './socket/exchange.js'
import { freePath } from './socket/free-path.js'
import { Desk } from './tasks/desk.js'
import { Pool } from './tasks/pool.js'
import { Runner } from './tasks/runner.js'
import { describe } from './tasks/task.js'

const PRUNE_EVERY = 60_000

export const DEFAULTS = {
  origins: [],
  concurrency: 2,
  maxQueued: 10_000,
  tokenTimeout: 5000,
  pingInterval: 25_000,
  maxBrowsers: 10_000,
  queueBytes: 1 << 20,
  /** ms that running tasks may go on for when the process is asked to end. */
  patience: 3000,
  onError: (error) => console.error(error),
}

/**
 * @param {{socket: string | number, http: string | number, data: string, tasks: string, nats?: string}
 *   & Partial<typeof DEFAULTS>} given
 */
export async function startResident(given) {
  const options = { ...DEFAULTS, ...given }
  const module = pathToFileURL(options.tasks).href
  const { default: definitions } = await import(module)
  const parts = await openParts(options)
  const { directory, hub, bus, store } = parts
  const push = new Push(directory, bus)
  const runner = new Runner(store, new Pool(module, options.concurrency), definitions, options.concurrency)
  tellOfTasks(runner, store, bus, options.onError)

  const door = new Door(hub, directory, options)
  const exchange = createExchange(
    commands({ desk: new Desk(store, definitions, options), push, directory }),
    { explain: parts.explain, onError: options.onError },
  )
  await freePath(options.http)
  await door.listen(options.http)
  await store.open()
  runner.start()
  const pruning = setInterval(() => store.prune(), PRUNE_EVERY)
  // Last: who can connect finds everything there.
  await exchange.listen(options.socket)

  return {
    async close() {
      clearInterval(pruning)
      await exchange.close({ timeout: 1000 })
      await runner.close(options.patience)
      await door.close()
      directory.close()
      await bus.close()
      await store.close()
      await parts.close()
    },
  }
}

/** Whoever a task was started for sees it move and hears how it ended. */
function tellOfTasks(runner, store, bus, onError) {
  runner.onError = onError
  runner.onProgress = (task, progress) => {
    if (task.user) bus.live({ type: 'task', data: { ...describe(task), progress }, to: { user: task.user } })
  }
  store.onEnd = async (task) => {
    if (!task.user) return
    const event = { type: 'task', data: describe(task), to: { user: task.user } }
    await bus.publish(event, { once: `task-${task.id}` })
  }
}
