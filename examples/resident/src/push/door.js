// Door: where browsers come in. Checks the Origin, upgrades to WebSocket, waits for a token, pings, and shows out who
// does not answer. It knows HTTP and WebSocket; what browsers are told is the hub's business.
import { createServer, STATUS_CODES } from 'node:http'
import { WebSocketServer } from 'ws'
import { Browser, CLOSE } from './browser.js'

const SWEEP = 500
const GREETING_BYTES = 4096

export class Door {
  #waiting = new Set()
  #sweeper
  #wss = new WebSocketServer({
    noServer: true,
    maxPayload: GREETING_BYTES,
    perMessageDeflate: false,
    clientTracking: false,
  })
  #server = createServer((_request, response) => response.writeHead(426).end('WebSocket only\n'))

  /**
   * @param {import('./hub.js').Hub} hub  @param {import('./directory.js').Directory} directory
   * @param {{origins: string[], tokenTimeout: number, pingInterval: number, maxBrowsers: number, queueBytes: number}} options
   */
  constructor(hub, directory, options) {
    this.hub = hub
    this.directory = directory
    this.options = options
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
  }

  /** @param {string | number} where a unix socket's path or a port on the loopback */
  async listen(where) {
    const target = typeof where === 'number' ? { port: where, host: '127.0.0.1' } : { path: where }
    await new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(target, () => resolve(undefined))
    })
    let pinged = Date.now()
    this.#sweeper = setInterval(() => {
      const ping = Date.now() - pinged >= this.options.pingInterval
      if (ping) pinged = Date.now()
      this.#sweep(ping)
    }, SWEEP)
    return this.#server.address()
  }

  #upgrade(request, socket, head) {
    socket.on('error', () => socket.destroy())
    const { origin = '' } = request.headers
    if (!this.options.origins.includes(origin)) return refuse(socket, 403)
    if (this.#size() >= this.options.maxBrowsers) return refuse(socket, 503)
    this.#wss.handleUpgrade(request, socket, head, (ws) => this.#enter(ws, socket))
  }

  #size() {
    let size = this.#waiting.size
    for (const [, count] of this.hub.counts()) size += count
    return size
  }

  #enter(ws, socket) {
    const browser = new Browser(ws, socket, this.options)
    this.#waiting.add(browser)
    ws.on('pong', () => {
      browser.alive = true
    })
    // A protocol error, or too long a message: ws closes by itself.
    ws.on('error', () => {})
    browser.onGone = () => {
      this.#waiting.delete(browser)
      this.hub.detach(browser)
    }
    ws.on('close', browser.onGone)
    ws.once('message', (data) => {
      // From here on it only listens.
      ws.on('message', () => browser.close(1008, 'nothing more is expected from you'))
      this.#identify(browser, String(data)).catch(() => browser.close(1011, 'try again'))
    })
  }

  async #identify(browser, text) {
    const greeting = parseGreeting(text)
    const known = greeting && (await this.directory.whose(greeting.token))
    if (known && greeting.last) await this.hub.history.caughtUp(greeting.last, 1000)
    if (!browser.open) return
    this.#waiting.delete(browser)
    if (!known) return browser.close(CLOSE.token, 'unknown or expired token')
    browser.user = known.user
    browser.expiresAt = known.expiresAt
    const resumed = this.hub.attach(browser, greeting.last)
    browser.ws.send(JSON.stringify({ type: 'welcome', user: known.user, resumed, last: browser.lastId }))
    this.hub.resume(browser)
  }

  #sweep(ping) {
    const now = Date.now()
    for (const browser of this.#waiting) {
      if (now - browser.since >= this.options.tokenTimeout) browser.close(CLOSE.noToken, 'no token in time')
    }
    for (const browser of [...this.hub.browsers()]) {
      if (browser.expiresAt <= now) browser.close(CLOSE.token, 'token expired')
      else if (ping) this.#ping(browser)
    }
  }

  #ping(browser) {
    if (!browser.alive) return browser.ws.terminate()
    browser.alive = false
    browser.ws.ping()
  }

  async close() {
    clearInterval(this.#sweeper)
    for (const browser of [...this.#waiting, ...this.hub.browsers()]) browser.close(1001, 'restarting')
    const closed = new Promise((resolve) => this.#server.close(() => resolve(undefined)))
    this.#server.closeAllConnections()
    await closed
  }
}

function refuse(socket, status) {
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

/** @returns {{token: string, last: number | undefined} | undefined} */
function parseGreeting(text) {
  try {
    const { token, last } = JSON.parse(text)
    if (typeof token !== 'string') return undefined
    return { token, last: Number.isSafeInteger(last) && last >= 0 ? last : undefined }
  } catch {
    return undefined
  }
}
