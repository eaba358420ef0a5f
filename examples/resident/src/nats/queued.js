// Queued: one message of a JetStream work queue, held until it is answered. Knows the words of the protocol (ADR-15 of
// NATS), not what the message is about.

const NANOSECONDS = 1e6

export class Queued {
  /** @param {import('@nats-io/transport-node').Msg} message */
  constructor(message) {
    this.message = message
  }

  json() {
    return this.message.json()
  }

  /** Done with: it leaves the queue. */
  ack() {
    this.message.respond('+ACK')
  }

  /** Comes again, to whoever asks, after `ms`. */
  nak(ms = 0) {
    this.message.respond(ms > 0 ? `-NAK ${JSON.stringify({ delay: Math.round(ms * NANOSECONDS) })}` : '-NAK')
  }

  /** Still being worked on: its lease begins anew. */
  working() {
    this.message.respond('+WPI')
  }
}
