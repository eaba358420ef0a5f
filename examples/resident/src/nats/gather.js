// Gather: asks all resident processes and adds up what they answer. Knows numbers; not what they count.
import { createInbox } from '@nats-io/transport-node'

/** A process that has just died is waited for no longer than this, ms. */
const LIMIT = 500

export class Gather {
  #pending = new Map()
  #next = 0
  #inbox = createInbox()
  #subscription

  /** @param {import('@nats-io/transport-node').NatsConnection} connection */
  constructor(connection) {
    this.connection = connection
    this.#subscription = connection.subscribe(`${this.#inbox}.*`, {
      callback: (_error, message) => this.#answer(message.subject, message.json()),
    })
  }

  /**
   * @param {number} from how many answer
   * @param {(inbox: string) => unknown} ask sends the question; where to answer is in it
   * @returns {Promise<Record<string, number>>} sums by field
   */
  async sum(from, ask) {
    const subject = `${this.#inbox}.${this.#next++}`
    const answers = new Promise((resolve) =>
      this.#pending.set(subject, { left: from, sums: {}, resolve, timer: undefined }),
    )
    try {
      await ask(subject)
    } catch (error) {
      this.#finish(subject)
      throw error
    }
    const pending = this.#pending.get(subject)
    if (pending) pending.timer = setTimeout(() => this.#finish(subject), LIMIT)
    return answers
  }

  #answer(subject, numbers) {
    const pending = this.#pending.get(subject)
    if (!pending) return
    for (const [field, number] of Object.entries(numbers))
      pending.sums[field] = (pending.sums[field] ?? 0) + number
    if (--pending.left === 0) this.#finish(subject)
  }

  #finish(subject) {
    const { sums, resolve, timer } = this.#pending.get(subject)
    this.#pending.delete(subject)
    clearTimeout(timer)
    resolve(sums)
  }

  close() {
    this.#subscription.unsubscribe()
    for (const subject of [...this.#pending.keys()]) this.#finish(subject)
  }
}
