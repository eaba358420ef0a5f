// Event bus of a process that is alone: an event gets its number from SQLite, which keeps the last of them for
// browsers that come back after a restart, and goes to the hub.
import { encodeEvent } from '../push/frame.js'

const NOTHING = { sent: 0, queued: 0, dropped: 0 }

export class LocalBus {
  #sincePruned = 0

  /** @param {import('../push/hub.js').Hub} hub  @param {{events: number}} keep how many */
  constructor(database, hub, keep) {
    this.hub = hub
    this.keep = keep.events
    this.insert = database.prepare('insert into events (once, body) values (?, ?) on conflict do nothing')
    this.prune = database.prepare('delete from events where id <= ?')
    this.kept = database.prepare('select id, body from events order by id')
  }

  async open() {
    for (const { id, body } of this.kept.all()) {
      const event = { ...JSON.parse(body), id }
      this.hub.history.add({ ...event, frame: encodeEvent(event) })
    }
  }

  /** Id of the newest event. */
  get last() {
    return this.hub.history.last
  }

  /**
   * Stores and delivers. `once`: a name under which it is stored one time only.
   * @param {{type: string, data: unknown, to: object}} event
   */
  async publish(event, { once = null } = {}) {
    const { changes, lastInsertRowid } = this.insert.run(once, JSON.stringify(event))
    if (changes === 0) return { ...NOTHING }
    const id = Number(lastInsertRowid)
    this.#prune(id)
    return this.hub.deliver({ ...event, id, frame: encodeEvent({ ...event, id }) })
  }

  /** Delivers to who is there now, and forgets. */
  live(event) {
    this.hub.deliver({ ...event, frame: encodeEvent(event) })
  }

  #prune(id) {
    if (++this.#sincePruned < 1000) return
    this.#sincePruned = 0
    this.prune.run(id - this.keep)
  }

  /** @returns {Promise<number>} browsers closed */
  async kick(user, code, reason) {
    return this.hub.close(user, code, reason)
  }

  /** Browsers of `user`. */
  online(user) {
    return this.hub.count(user)
  }

  async close() {}
}
