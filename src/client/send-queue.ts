/**
 * SendQueue: what waits for a connection, oldest first. Knows payloads and who waits for an answer; which lane takes them,
 * and how many may wait, is the client's.
 */
import { Pending } from './pending.js'

export class SendQueue {
  /**
   * A Map keeps the order, and lets go of one in the middle without touching the others: thousands may be given up at once.
   * The key of what nobody waits for is an object of its own.
   */
  readonly #payloads = new Map<object, unknown>()

  get length(): number {
    return this.#payloads.size
  }

  push(payload: unknown, pending: Pending | undefined): void {
    this.#payloads.set(pending ?? {}, payload)
  }

  /** Nobody waits for `pending` any more; does nothing if it has been sent. */
  forget(pending: Pending): void {
    this.#payloads.delete(pending)
  }

  /** Hands everything to `send`, until that says false: it was not taken. */
  flush(send: (payload: unknown, pending: Pending | undefined) => boolean): void {
    for (const [key, payload] of this.#payloads) {
      if (!send(payload, asPending(key))) return
      this.#payloads.delete(key)
    }
  }

  /** Lets go of requests that are overdue; returns the earliest deadline that is left. */
  sweep(now: number, expire: (pending: Pending) => void): number {
    let next = Infinity
    for (const key of this.#payloads.keys()) {
      const pending = asPending(key)
      if (pending === undefined) continue
      if (pending.deadline > now) {
        next = Math.min(next, pending.deadline)
        continue
      }
      this.#payloads.delete(pending)
      expire(pending)
    }
    return next
  }

  /** Nobody will carry it. */
  refuse(reason: unknown): void {
    for (const key of this.#payloads.keys()) asPending(key)?.reject(reason)
    this.#payloads.clear()
  }
}

function asPending(key: object): Pending | undefined {
  return key instanceof Pending ? key : undefined
}
