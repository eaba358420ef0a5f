// Task store on JetStream: a work queue shared by all resident processes. A message is held while its task runs, with
// signs of life; when its process dies another gets it. What became of a task is in the index, where one end wins.

import { Refusal } from '../refusal.js'
import { describe, EXPIRED } from '../tasks/task.js'
import { LEASE, TASK_SUBJECT } from './broker.js'

const FULL = 10077
/** How long one pull waits, ms; also how long closing may have to wait for it. */
const PULL = 1000
const SWEEP = 250
const KEEP_FINISHED = 24 * 3600_000

export class NatsTasks {
  #closing = new AbortController()
  /** @type {Map<string, {message: import('./queued.js').Queued, record: object, revision: number,
   *   changing: Promise<void>}>} */
  #held = new Map()
  #timers = []
  onEnd = async (_task) => {}
  onError = (_error) => {}

  /** @param {object} broker  @param {import('./task-index.js').TaskIndex} index */
  constructor(broker, index) {
    this.broker = broker
    this.index = index
  }

  async open() {
    await this.index.open()
    this.#timers.push(
      setInterval(() => this.#showLife(), LEASE / 3),
      setInterval(() => this.#expire().catch(this.onError), SWEEP),
    )
  }

  get size() {
    return this.index.size
  }

  async add(task) {
    try {
      await this.broker.js.publish(TASK_SUBJECT, JSON.stringify(task), { msgID: task.id })
    } catch (error) {
      if (error.code === FULL) throw new Refusal('QUEUE_FULL', 'the work queue is full')
      throw error
    }
    // When it has been begun already, its record is there, and newer.
    await this.index.write(describe(task), 0)
  }

  async next() {
    while (!this.#closing.signal.aborted) {
      const message = await this.#pull()
      const task = message && (await this.#begin(message))
      if (task) return task
    }
    return undefined
  }

  async #pull() {
    const message = await this.broker.nextTask(PULL)
    if (!this.#closing.signal.aborted) return message
    message?.nak()
    return undefined
  }

  /** @returns {Promise<object | undefined>} undefined: it is not to be run now */
  async #begin(message) {
    const task = message.json()
    const { record = describe(task), revision = 0 } = (await this.index.read(task.id)) ?? {}
    const now = Date.now()
    if (record.finishedAt) return this.#finish(record, message)
    if (record.deadline !== null && record.deadline <= now) {
      await this.#end(record, revision, EXPIRED)
      // Comes again, and is found ended: by us or by who was faster.
      return void message.nak()
    }
    if (record.runAt > now) return void message.nak(Math.min(record.runAt, record.deadline ?? Infinity) - now)
    const begun = { ...record, state: 'running', attempts: record.attempts + 1 }
    const next = await this.index.write(begun, revision)
    if (next === 0) return void message.nak(50)
    this.#held.set(task.id, { message, record: begun, revision: next, changing: Promise.resolve() })
    return { ...task, ...begun }
  }

  /** The end is recorded: tell (the bus tells it once), then take the message out of the queue. */
  async #finish(record, message) {
    await this.onEnd(record)
    message.ack()
    return undefined
  }

  #showLife() {
    for (const { message } of this.#held.values()) message.working()
  }

  async #expire() {
    for (const [, { record, revision }] of this.index.overdue(Date.now()))
      await this.#end(record, revision, EXPIRED)
  }

  async #end(record, revision, { state, result = null, error = null, failures = record.failures }) {
    const progress = state === 'done' ? 1 : record.progress
    const ended = { ...record, state, result, error, failures, progress, finishedAt: Date.now() }
    if ((await this.index.write(ended, revision)) === 0) return undefined
    await this.onEnd(ended)
    return ended
  }

  async progress(task, value) {
    const held = this.#held.get(task.id)
    if (!held) return
    // One write after the other, each from the revision the one before has made. A report that is lost is no failure.
    held.changing = held.changing
      .then(async () => {
        held.record = { ...held.record, progress: value }
        held.revision = (await this.index.write(held.record, held.revision)) || held.revision
      })
      .catch(this.onError)
    await held.changing
  }

  async settle(task, outcome) {
    const held = this.#held.get(task.id)
    if (!held) return false
    await held.changing
    this.#held.delete(task.id)
    const { message, record, revision } = held
    if (outcome.state === 'waiting')
      return this.#again(message, { ...record, ...outcome, progress: 0 }, revision)
    const ended = await this.#end(record, revision, outcome)
    message.ack()
    return ended !== undefined
  }

  async #again(message, record, revision) {
    const written = await this.index.write(record, revision)
    message.nak(Math.max(0, Math.min(record.runAt, record.deadline ?? Infinity) - Date.now()))
    return written !== 0
  }

  async get(id) {
    return this.index.known(id) ?? (await this.index.read(id))?.record
  }

  async list(filter) {
    return this.index.list(filter)
  }

  prune() {
    this.index.prune(KEEP_FINISHED)
  }

  stop() {
    this.#closing.abort()
  }

  async close() {
    this.stop()
    for (const timer of this.#timers) clearInterval(timer)
    // What was cut short goes to another process now and not when its lease is over.
    for (const { message } of this.#held.values()) message.nak()
    this.index.close()
  }
}
