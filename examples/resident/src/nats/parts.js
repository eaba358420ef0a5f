// The parts of a resident process that is one of several, on NATS.
import { randomUUID } from 'node:crypto'
import { Directory } from '../push/directory.js'
import { History } from '../push/history.js'
import { Hub } from '../push/hub.js'
import { openBroker } from './broker.js'
import { NatsBus } from './event-bus.js'
import { explainOutage } from './outage.js'
import { NatsShelf } from './shelf.js'
import { TaskIndex } from './task-index.js'
import { NatsTasks } from './task-store.js'

/** @param {{nats: string, maxQueued: number, onError: (error: Error) => void}} options */
export async function openNats({ nats, maxQueued, onError }, history) {
  const broker = await openBroker(nats, { events: history.events, maxQueued })
  const shelf = new NatsShelf(broker.directory)
  const directory = new Directory(shelf, { onError })
  const hub = new Hub(directory, new History(history))
  const bus = new NatsBus(broker, hub, { node: randomUUID(), onError })
  const store = new NatsTasks(broker, new TaskIndex(broker.tasks))
  store.onError = onError
  await directory.open()
  await bus.open()
  return {
    directory,
    hub,
    bus,
    store,
    explain: explainOutage,
    async close() {
      shelf.close()
      await broker.connection.drain()
    },
  }
}
