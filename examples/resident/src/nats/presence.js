// Presence: which users have browsers open at which resident process. Each says so when it changes and shows once a
// second that it lives; who is silent is forgotten, and who missed a change asks for the whole list.

const BEAT = 1000
const SILENT = 3500
const SUBJECT = 'resident.presence'

export class Presence {
  /** @type {Map<string, {version: number, users: Map<string, number>, heard: number, asked: boolean}>} */
  #others = new Map()
  #version = 0
  #timer
  #subscriptions = []

  /**
   * @param {import('@nats-io/transport-node').NatsConnection} connection  @param {string} node our own name
   * @param {import('../push/hub.js').Hub} hub  @param {(error: Error) => void} onError
   */
  constructor(connection, node, hub, onError) {
    this.connection = connection
    this.node = node
    this.hub = hub
    this.onError = onError
  }

  open() {
    const on = (subject, callback) =>
      this.#subscriptions.push(this.connection.subscribe(subject, { callback: (_error, m) => callback(m) }))
    on(`${SUBJECT}.change`, (m) => this.#changed(m.json()))
    on(`${SUBJECT}.beat`, (m) => this.#beat(m.json()))
    on(`${SUBJECT}.bye`, (m) => this.#others.delete(m.json().node))
    on(`${SUBJECT}.list.${this.node}`, (m) =>
      m.respond(JSON.stringify({ version: this.#version, users: [...this.hub.counts()] })),
    )
    this.hub.onPresence = (user, count) =>
      this.#say('change', { node: this.node, version: ++this.#version, user, count })
    this.#timer = setInterval(() => this.#tick(), BEAT)
    this.#tick()
  }

  #say(what, message) {
    if (!this.connection.isClosed()) this.connection.publish(`${SUBJECT}.${what}`, JSON.stringify(message))
  }

  #tick() {
    this.#say('beat', { node: this.node, version: this.#version })
    const now = Date.now()
    for (const [node, { heard }] of this.#others) if (now - heard > SILENT) this.#others.delete(node)
  }

  #changed({ node, version, user, count }) {
    const other = this.#others.get(node)
    if (!other || version !== other.version + 1) return
    other.version = version
    if (count > 0) other.users.set(user, count)
    else other.users.delete(user)
  }

  #beat({ node, version }) {
    if (node === this.node) return
    const other = this.#others.get(node) ?? { version: -1, users: new Map(), heard: 0, asked: false }
    this.#others.set(node, other)
    other.heard = Date.now()
    if (version !== other.version && !other.asked) this.#ask(node, other)
  }

  async #ask(node, other) {
    other.asked = true
    try {
      const reply = await this.connection.request(`${SUBJECT}.list.${node}`, '', { timeout: BEAT })
      const { version, users } = reply.json()
      other.version = version
      other.users = new Map(users)
    } catch (error) {
      // Gone, or busy: its next beat, or its silence, says which.
      if (!this.connection.isClosed()) this.onError(error)
    } finally {
      other.asked = false
    }
  }

  /** Resident processes that live, this one included. */
  get nodes() {
    return this.#others.size + 1
  }

  /** Browsers of `user`, at all of them. */
  online(user) {
    let count = this.hub.count(user)
    for (const { users } of this.#others.values()) count += users.get(user) ?? 0
    return count
  }

  async close() {
    clearInterval(this.#timer)
    this.#say('bye', { node: this.node })
    for (const subscription of this.#subscriptions) subscription.unsubscribe()
  }
}
