/** The sessions of a server, linked through themselves: coming and going costs no memory. Knows order only. */
import type { Session } from './session.js'

export class SessionList implements Iterable<Session> {
  #first: Session | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  add(session: Session): void {
    const first = this.#first
    session.next = first
    if (first !== undefined) first.previous = session
    this.#first = session
    this.#size++
  }

  remove(session: Session): void {
    const { previous, next } = session
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next !== undefined) next.previous = previous
    // An iteration that stands on this session still finds the way on.
    session.previous = undefined
    this.#size--
  }

  /** Newest first. The session at hand may be removed meanwhile. */
  *[Symbol.iterator](): Iterator<Session> {
    let session = this.#first
    while (session !== undefined) {
      const next: Session | undefined = session.next
      yield session
      session = next
    }
  }
}
