// Broker: the connection to NATS, and the streams and buckets that several resident processes share. Knows their names
// and bounds; not what is in them.
import {
  AckPolicy,
  DiscardPolicy,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream'
import { Kvm } from '@nats-io/kv'
import { connect, createInbox, nanos } from '@nats-io/transport-node'
import { Queued } from './queued.js'

export const TASK_SUBJECT = 'resident.tasks'
export const EVENT_SUBJECT = 'resident.events'
const TASKS = 'RESIDENT_TASKS'
const EVENTS = 'RESIDENT_EVENTS'
const WORKERS = 'workers'
const DAY = 24 * 3600_000

/** How long a task may go without a sign of life from who runs it before another process gets it, ms. */
export const LEASE = 5000
/** How long a request to the server may take, ms: an application waits for the answer. */
const TIMEOUT = 1500

/** @param {string} url  @param {{events: number, maxQueued: number}} limits */
export async function openBroker(url, limits) {
  const connection = await connect({
    servers: url,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    timeout: 2000,
  })
  const manager = await jetstreamManager(connection, { timeout: TIMEOUT })
  await ensureStreams(manager, limits)
  const js = jetstream(connection, { timeout: TIMEOUT })
  const kvm = new Kvm(js)
  return {
    connection,
    js,
    directory: await kvm.create('resident_directory', { history: 1, storage: StorageType.File }),
    tasks: await kvm.create('resident_tasks', { history: 1, storage: StorageType.File, ttl: DAY }),
    nextTask: (ms) => pull(connection, ms),
    /** Events from `sequence` on, in order, also across reconnects. */
    events: (sequence) =>
      js.consumers.get(EVENTS, { deliver_policy: 'by_start_sequence', opt_start_seq: sequence }),
    eventState: async () => (await manager.streams.info(EVENTS)).state,
  }
}

/**
 * One message of the work queue, or undefined when none came within `ms`. Asked for directly: the client's own `next`
 * leaves a rejection nobody can catch when the server goes away meanwhile (https://github.com/nats-io/nats.node/issues/534).
 */
async function pull(connection, ms) {
  const subject = `$JS.API.CONSUMER.MSG.NEXT.${TASKS}.${WORKERS}`
  const wanted = JSON.stringify({ batch: 1, expires: nanos(ms) })
  // A subscription of its own: what is delivered bears the subject of the queue, by which no shared inbox finds it.
  const how = { noMux: true, reply: createInbox(), timeout: ms + TIMEOUT }
  const reply = await connection.request(subject, wanted, how)
  // A status and no message: 408 when the time is over, 404, 409.
  return reply.headers?.code ? undefined : new Queued(reply)
}

async function ensureStreams(manager, { events, maxQueued }) {
  await manager.streams.add({
    name: EVENTS,
    subjects: [EVENT_SUBJECT],
    storage: StorageType.File,
    discard: DiscardPolicy.Old,
    max_msgs: events,
    duplicate_window: nanos(120_000),
  })
  await manager.streams.add({
    name: TASKS,
    subjects: [TASK_SUBJECT],
    storage: StorageType.File,
    retention: RetentionPolicy.Workqueue,
    // A bound of last resort: tasks are counted by the index, and what has expired stays here until its time comes.
    discard: DiscardPolicy.New,
    max_msgs: 2 * maxQueued,
    duplicate_window: nanos(120_000),
  })
  await manager.consumers.add(TASKS, {
    durable_name: WORKERS,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(LEASE),
    // Those that wait for their time count as well.
    max_ack_pending: 2 * maxQueued,
  })
}
