/**
 * Connections of an `exchange: 'once'` server that are over its limit: each is told so and closed, because such a client is
 * answered whatever happens. Knows how many there are and who; what they are told is their session's.
 */
import { FrameError } from '../errors.js'
import type { Channel } from '../transport/contract.js'
import { OnceSession } from './once-session.js'
import type { Served } from './served-list.js'
import type { SessionHost } from './session.js'

/** Of them at a time; whoever comes beyond that is closed without a word. Each is there for a second at most. */
export const TURNED_AWAY_AT_A_TIME = 128

export class TurnedAway {
  readonly #host: SessionHost
  readonly #limit: number
  readonly #here = new Set<Served>()

  /** @param limit connections that are served; Infinity: nobody is turned away here. */
  constructor(host: SessionHost, limit: number) {
    this.#host = host
    this.#limit = limit
  }

  get size(): number {
    return this.#here.size
  }

  has(served: Served): boolean {
    return this.#here.has(served)
  }

  /** Whether the newest of `open` connections, not counting those here, is too many. */
  isNeeded(open: number): boolean {
    return open > this.#limit
  }

  /** Refuses it, and closes so that it gets to read that. */
  add(channel: Channel): Served {
    const session = new OnceSession(this.#host, channel)
    this.#here.add(session)
    session.turnAway(
      new FrameError('ERR_FRAME_CONNECTION_LIMIT', { limit: this.#limit, connectionId: channel.id }),
    )
    return session
  }

  remove(served: Served): void {
    this.#here.delete(served)
  }
}
