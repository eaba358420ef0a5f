/**
 * Deadlines of any number of channels on one timer. Knows times and order, not what a deadline means.
 *
 * Deadlines of the same length are set in the order in which they end, so each length has a list of its own and the
 * next one to end is the first of some list: setting, moving and clearing cost a few pointer writes.
 */
import { deadlineTimer } from '../time-limit.js'

/** Something with a deadline. A node is in at most one list. */
export class Deadline {
  /** When it ends, on the clock of {@link Deadlines.now}. */
  at = 0
  /** @internal */ list: DeadlineList | undefined
  /** @internal */ previous: Deadline | undefined
  /** @internal */ next: Deadline | undefined
  /** Called once when it ends; the node is unset by then and may be set again. */
  readonly expired: () => void

  constructor(expired: () => void) {
    this.expired = expired
  }

  get isSet(): boolean {
    return this.list !== undefined
  }
}

/** Ordered by `at`. */
class DeadlineList {
  first: Deadline | undefined
  last: Deadline | undefined

  insert(node: Deadline): void {
    let before = this.last
    while (before !== undefined && before.at > node.at) before = before.previous
    node.list = this
    node.previous = before
    node.next = before === undefined ? this.first : before.next
    if (node.next === undefined) this.last = node
    else node.next.previous = node
    if (before === undefined) this.first = node
    else before.next = node
  }

  remove(node: Deadline): void {
    if (node.previous === undefined) this.first = node.next
    else node.previous.next = node.next
    if (node.next === undefined) this.last = node.previous
    else node.next.previous = node.previous
    node.list = undefined
    node.previous = undefined
    node.next = undefined
  }
}

export class Deadlines {
  readonly #lists = new Map<number, DeadlineList>()
  #timer: NodeJS.Timeout | undefined
  /** When the timer fires; Infinity: it is not set. */
  #wakeAt = Number.POSITIVE_INFINITY

  /** Milliseconds on a clock that only goes forward. */
  now(): number {
    return performance.now()
  }

  /** `node` ends `ms` after `from`. Replaces what it was set to. */
  set(node: Deadline, from: number, ms: number): void {
    node.list?.remove(node)
    let list = this.#lists.get(ms)
    if (list === undefined) {
      list = new DeadlineList()
      this.#lists.set(ms, list)
    }
    node.at = from + ms
    list.insert(node)
    if (node.at < this.#wakeAt) this.#wake(node.at)
  }

  clear(node: Deadline): void {
    node.list?.remove(node)
  }

  #wake(at: number): void {
    clearTimeout(this.#timer)
    this.#wakeAt = at
    const wait = Math.max(1, Math.ceil(at - this.now()))
    this.#timer = deadlineTimer(wait, () => this.#expire())
    // Sockets keep the process alive, deadlines of sockets need not.
    this.#timer.unref()
  }

  #expire(): void {
    const now = this.now()
    let next = Number.POSITIVE_INFINITY
    this.#wakeAt = Number.NEGATIVE_INFINITY
    for (const [ms, list] of this.#lists) {
      for (let node = list.first; node !== undefined && node.at <= now; node = list.first) {
        list.remove(node)
        node.expired()
      }
      if (list.first === undefined) this.#lists.delete(ms)
      else next = Math.min(next, list.first.at)
    }
    this.#wakeAt = Number.POSITIVE_INFINITY
    for (const list of this.#lists.values())
      if (list.first !== undefined) next = Math.min(next, list.first.at)
    if (next !== Number.POSITIVE_INFINITY) this.#wake(next)
  }
}
