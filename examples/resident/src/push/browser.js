// Browser: one WebSocket that has said who it is. It knows its socket, its queue and its bounds; not who else there
// is, nor why something is pushed.
import { WebSocket } from 'ws'

/** What happens to an event for a browser that reads too slowly. */
export const POLICIES = ['drop-oldest', 'drop-newest', 'close']

/** Close codes an application may use begin at 4000. */
export const CLOSE = {
  token: 4401,
  kicked: 4403,
  noToken: 4408,
  tooSlow: 4429,
  dead: 4499,
}

export class Browser {
  user = ''
  /** Of the token it came with; the connection ends with it. */
  expiresAt = Number.POSITIVE_INFINITY
  /** Events up to this id have been given to it. */
  lastId = 0
  alive = true
  /** It is being shown out, or has gone: from here on it counts no more. */
  onGone = () => {}
  #queue = []
  #queuedBytes = 0
  #replay
  /** Pushes that were given up because it read too slowly. */
  dropped = 0

  /**
   * @param {import('ws').WebSocket} ws  @param {import('node:net').Socket} socket the one under `ws`
   * @param {{queueBytes: number}} limits bytes held for it beyond the socket's own buffer
   */
  constructor(ws, socket, limits) {
    this.ws = ws
    this.socket = socket
    this.limits = limits
    this.since = Date.now()
    socket.on('drain', () => this.#flush())
  }

  get open() {
    return this.ws.readyState === WebSocket.OPEN
  }

  /**
   * Hands over one event, or queues it, or gives something up. Adds what it did to `receipt`.
   * @param {{id?: number, frame: Buffer, group?: string}} event
   * @param {{policy: string, limit: number}} rule of the group it was sent to
   * @param {{sent: number, queued: number, dropped: number}} receipt
   */
  push(event, rule, receipt) {
    if (!this.open || (event.id !== undefined && event.id <= this.lastId)) return
    // Events that are in the history come to it by the replay, in their place.
    if (this.#replay && event.id !== undefined) {
      receipt.queued++
      return
    }
    if (!this.#replay && this.#queue.length === 0 && !this.socket.writableNeedDrain) {
      this.#write(event)
      receipt.sent++
      return
    }
    this.#enqueue(event, rule, receipt)
  }

  #enqueue(event, rule, receipt) {
    while (this.#full(event, rule)) {
      if (rule.policy === 'close') {
        receipt.dropped++
        this.dropped++
        this.close(CLOSE.tooSlow, 'reads too slowly')
        return
      }
      // Only events of the same group make room: another group may have promised more.
      const oldest =
        rule.policy === 'drop-oldest' ? this.#queue.findIndex((e) => e.group === event.group) : -1
      receipt.dropped++
      this.dropped++
      if (oldest === -1) return
      this.#queuedBytes -= this.#queue.splice(oldest, 1)[0].frame.length
    }
    this.#queue.push(event)
    this.#queuedBytes += event.frame.length
    receipt.queued++
  }

  #full(event, rule) {
    return this.#queue.length >= rule.limit || this.#queuedBytes + event.frame.length > this.limits.queueBytes
  }

  /**
   * Gives it what it missed, as fast as it reads, then goes on live.
   * @param {() => {id: number, frame: Buffer} | undefined} next
   */
  replay(next) {
    this.#replay = next
    this.#flush()
  }

  #flush() {
    if (!this.open) return
    while (this.#replay && !this.socket.writableNeedDrain) {
      const event = this.#replay()
      if (event) this.#write(event)
      else this.#replay = undefined
    }
    while (this.#queue.length > 0 && !this.socket.writableNeedDrain) {
      const event = this.#queue.shift()
      this.#queuedBytes -= event.frame.length
      this.#write(event)
    }
  }

  #write(event) {
    this.socket.write(event.frame)
    if (event.id !== undefined) this.lastId = event.id
  }

  /** The peer is told, and given a second to answer. */
  close(code, reason) {
    this.onGone()
    this.#queue = []
    this.#queuedBytes = 0
    this.#replay = undefined
    this.ws.close(code, reason)
    // A browser that does not read does not answer either.
    setTimeout(() => this.ws.terminate(), 1000).unref()
  }
}
