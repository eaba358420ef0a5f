// History: the last events, so that a browser that was away gets what it missed. Bounded by count and bytes.
// It knows events and their order; not who may read them.

export class History {
  #events = []
  #bytes = 0
  /** Id of the newest event, also when it has been forgotten already. */
  last = 0
  #forgotten = 0
  #waiting = new Set()

  /** @param {{events: number, bytes: number}} limits */
  constructor(limits) {
    this.limits = limits
  }

  /** @param {{id: number, frame: Buffer}} event ids only grow */
  add(event) {
    if (event.id <= this.last) return
    if (this.#events.length === 0 && this.last === 0) this.#forgotten = event.id - 1
    this.#events.push(event)
    this.#bytes += event.frame.length
    this.last = event.id
    while (this.#events.length > this.limits.events || this.#bytes > this.limits.bytes) {
      const oldest = this.#events.shift()
      this.#bytes -= oldest.frame.length
      this.#forgotten = oldest.id
    }
    for (const waiter of this.#waiting) if (this.last >= waiter.id) waiter.done()
  }

  /** Resolves when the event `id` is here or `ms` are over: another process may have been faster. */
  async caughtUp(id, ms) {
    if (id <= this.last) return
    await new Promise((resolve) => {
      const waiter = { id, done: () => resolve(this.#waiting.delete(waiter) && clearTimeout(timer)) }
      const timer = setTimeout(waiter.done, ms)
      this.#waiting.add(waiter)
    })
  }

  /** Whether everything after `id` is still here. */
  reaches(id) {
    return id >= this.#forgotten && id <= this.last
  }

  /** The first event after `id`, or undefined. */
  after(id) {
    let low = 0
    let high = this.#events.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#events[middle].id <= id) low = middle + 1
      else high = middle
    }
    return this.#events[low]
  }
}
