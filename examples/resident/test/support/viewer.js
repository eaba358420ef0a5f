// Viewer: a browser's end of the push without a browser, on ws.
import { WebSocket } from 'ws'

const LIMIT = 10_000

export class Viewer {
  /** Everything received, the welcome too. */
  heard = []
  #waiting = []

  /**
   * @param {string} door unix socket of the door  @param {string} origin
   * @param {{token?: string, last?: number} | string | undefined} greeting undefined: says nothing
   * @param {object} [options] of ws
   */
  constructor(door, origin, greeting, options = {}) {
    this.ws = new WebSocket(`ws+unix://${door}:/push`, { origin, ...options })
    this.ws.on('message', (data) => this.#hear(JSON.parse(String(data))))
    this.closed = new Promise((resolve) =>
      this.ws.on('close', (code, reason) => resolve({ code, reason: String(reason) })),
    )
    this.refused = new Promise((resolve) =>
      this.ws.on('unexpected-response', (_request, { statusCode }) => {
        resolve(statusCode)
        this.ws.terminate()
      }),
    )
    this.ws.on('error', (error) => {
      this.error = error
    })
    if (greeting !== undefined)
      this.ws.on('open', () =>
        this.ws.send(typeof greeting === 'string' ? greeting : JSON.stringify(greeting)),
      )
  }

  #hear(message) {
    this.heard.push(message)
    for (const waiter of [...this.#waiting]) waiter()
  }

  /** Data of the events heard. */
  get data() {
    return this.heard.filter(({ type }) => type !== 'welcome').map(({ data }) => data)
  }

  get lastId() {
    return Math.max(...this.heard.map(({ id, last }) => id ?? last ?? 0))
  }

  /** Resolves with the first message that is `wanted`, heard before or later. */
  hears(wanted) {
    const find = () => this.heard.find(wanted)
    if (find()) return Promise.resolve(find())
    return new Promise((resolve, reject) => {
      const done = () => {
        clearTimeout(timer)
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
      }
      const waiter = () => {
        if (!find()) return
        done()
        resolve(find())
      }
      const timer = setTimeout(() => {
        done()
        reject(new Error(`not heard; heard: ${JSON.stringify(this.heard)}`))
      }, LIMIT)
      this.#waiting.push(waiter)
    })
  }

  welcomed() {
    return this.hears(({ type }) => type === 'welcome')
  }

  close() {
    this.ws.terminate()
  }
}
