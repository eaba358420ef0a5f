// Event bus of several processes: an event gets its number from a JetStream stream, which every process reads in order
// and hands to its own browsers. So numbers mean the same everywhere, and a browser may come back to any process.
import { encodeEvent } from '../push/frame.js'
import { EVENT_SUBJECT } from './broker.js'
import { Gather } from './gather.js'
import { Presence } from './presence.js'

const LIVE = 'resident.live'
const KICK = 'resident.kick'
const NOTHING = { sent: 0, queued: 0, dropped: 0 }

export class NatsBus {
  #subscriptions = []
  #consumer

  /** @param {object} broker  @param {import('../push/hub.js').Hub} hub  @param {{node: string, onError: (error: Error) => void}} options */
  constructor(broker, hub, { node, onError }) {
    this.broker = broker
    this.hub = hub
    this.connection = broker.connection
    this.presence = new Presence(broker.connection, node, hub, onError)
    this.gather = new Gather(broker.connection)
  }

  async open() {
    const { first_seq: first, last_seq: last } = await this.broker.eventState()
    const consumer = await this.broker.events(Math.max(1, first))
    this.#consumer = await consumer.consume({ callback: (message) => this.#receive(message) })
    if (last > 0 && last >= first) await this.hub.history.caughtUp(last, 5000)
    const on = (subject, callback) =>
      this.#subscriptions.push(
        this.connection.subscribe(subject, { callback: (_error, m) => callback(m.json(), m) }),
      )
    on(LIVE, (event) => this.hub.deliver({ ...event, frame: encodeEvent(event) }))
    on(KICK, ({ user, code, reason }, m) =>
      m.respond(JSON.stringify({ closed: this.hub.close(user, code, reason) })),
    )
    this.presence.open()
    await this.connection.flush()
  }

  #receive(message) {
    const { inbox, ...event } = message.json()
    const id = message.seq
    const receipt = this.hub.deliver({ ...event, id, frame: encodeEvent({ ...event, id }) })
    if (inbox) this.connection.publish(inbox, JSON.stringify(receipt))
  }

  get last() {
    return this.hub.history.last
  }

  /** @param {{type: string, data: unknown, to: object}} event  @param {{once?: string}} [options] */
  async publish(event, { once } = {}) {
    const { js } = this.broker
    if (once) {
      await js.publish(EVENT_SUBJECT, JSON.stringify(event), { msgID: once })
      return { ...NOTHING }
    }
    const sums = await this.gather.sum(this.presence.nodes, (inbox) =>
      js.publish(EVENT_SUBJECT, JSON.stringify({ ...event, inbox })),
    )
    return { ...NOTHING, ...sums }
  }

  live(event) {
    this.connection.publish(LIVE, JSON.stringify(event))
  }

  async kick(user, code, reason) {
    const message = JSON.stringify({ user, code, reason })
    const { closed = 0 } = await this.gather.sum(this.presence.nodes, (reply) =>
      this.connection.publish(KICK, message, { reply }),
    )
    return closed
  }

  online(user) {
    return this.presence.online(user)
  }

  async close() {
    await this.presence.close()
    this.#consumer?.stop()
    this.gather.close()
    for (const subscription of this.#subscriptions) subscription.unsubscribe()
  }
}
