// Desk: accepts tasks or refuses them, and answers what became of them. It knows the store and which tasks there are.
import { Refusal } from '../refusal.js'
import { describe, newTask, STATES } from './task.js'

export class Desk {
  /** @param {object} store  @param {Record<string, object>} definitions  @param {{maxQueued: number}} limits */
  constructor(store, definitions, limits) {
    this.store = store
    this.definitions = definitions
    this.limits = limits
  }

  /** @returns {Promise<{id: string, state: string}>} when it cannot be lost any more, before it runs */
  async accept({ name, data = null, user, delay, deadline, expiresIn }) {
    if (!Object.hasOwn(this.definitions, name)) throw new Refusal('UNKNOWN_TASK', `no task is called ${name}`)
    const latest = deadline ?? (expiresIn === undefined ? null : Date.now() + expiresIn)
    if (latest !== null && latest <= Date.now())
      throw new Refusal('EXPIRED', 'its deadline has passed already')
    if (this.store.size >= this.limits.maxQueued)
      throw new Refusal('QUEUE_FULL', `${this.store.size} tasks are waiting or running already`)
    const task = newTask({ name, data, user, delay, deadline: latest })
    await this.store.add(task)
    return { id: task.id, state: task.state }
  }

  async status(id) {
    const task = await this.store.get(id)
    if (!task) throw new Refusal('UNKNOWN_ID', 'no task has this id, or it ended more than a day ago')
    return describe(task)
  }

  async list({ state, user, limit = 50 }) {
    if (state !== undefined && !STATES.includes(state))
      throw new Refusal('BAD_MESSAGE', `state is one of ${STATES.join(', ')}`)
    return (await this.store.list({ state, user, limit })).map(describe)
  }
}
