// Stream: the browser's end of the push. It connects, shows its token, and comes back by itself after the last event it
// has seen. It knows nothing of the page.

const LONGEST_PAUSE = 10_000
const REFUSED = 4401
const KICKED = 4403

export class Stream extends EventTarget {
  #failures = 0
  #store

  /** @param {() => Promise<string>} token asks for a fresh one  @param {Storage} store where the position is kept */
  constructor(token, store) {
    super()
    this.token = token
    this.#store = store
  }

  get #last() {
    const last = this.#store.getItem('last-event')
    return last === null ? undefined : Number(last)
  }

  async connect() {
    this.#tell('state', 'connecting')
    try {
      const token = await this.token()
      this.#open(token)
    } catch {
      // Not even a token is to be had: the network or the resident process is away.
      this.#later('no connection')
    }
  }

  #open(token) {
    const address = new URL('/push', location.href)
    address.protocol = address.protocol.replace('http', 'ws')
    const socket = new WebSocket(address)
    this.socket = socket
    socket.onopen = () => socket.send(JSON.stringify({ token, last: this.#last }))
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data))
    socket.onclose = ({ code, reason }) => {
      if (code === KICKED) this.#tell('state', 'logged out')
      else this.#later(code === REFUSED ? reason : 'connection lost')
    }
  }

  #receive(event) {
    if (event.type === 'welcome') {
      this.#failures = 0
      this.#store.setItem('last-event', event.last)
      this.#tell('state', 'connected')
      this.#tell('welcome', event)
      return
    }
    this.#tell('event', event)
    if (event.id !== undefined) this.#store.setItem('last-event', event.id)
  }

  #later(reason) {
    this.#tell('state', `${reason}, coming back`)
    const pause = Math.min(LONGEST_PAUSE, 250 * 2 ** this.#failures++)
    setTimeout(() => this.connect(), pause / 2 + (Math.random() * pause) / 2)
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }))
  }
}
