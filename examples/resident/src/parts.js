// What a resident process keeps things in: SQLite when it is alone, NATS when there are several. Same methods, so the
// rest does not know which.
import { openDatabase } from './local/database.js'
import { LocalBus } from './local/event-bus.js'
import { SqliteShelf } from './local/shelf.js'
import { SqliteTasks } from './local/task-store.js'
import { Directory } from './push/directory.js'
import { History } from './push/history.js'
import { Hub } from './push/hub.js'

const HISTORY = { events: 10_000, bytes: 32 << 20 }

/** @param {{data: string, nats?: string, maxQueued: number, onError: (error: Error) => void}} options */
export async function openParts(options) {
  if (!options.nats) return openLocal(options)
  const { openNats } = await import('./nats/parts.js')
  return openNats(options, HISTORY)
}

async function openLocal({ data, onError }) {
  const database = openDatabase(data)
  const directory = new Directory(new SqliteShelf(database), { onError })
  const hub = new Hub(directory, new History(HISTORY))
  const bus = new LocalBus(database, hub, HISTORY)
  const store = new SqliteTasks(database)
  store.onError = onError
  await directory.open()
  await bus.open()
  return { directory, hub, bus, store, explain: () => undefined, close: async () => database.close() }
}
