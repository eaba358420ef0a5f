/** The connections of a server, linked through themselves: coming and going costs no memory. Knows order only. */
import type { Connection } from '../connection/index.js'
import type { Channel } from '../transport/contract.js'

/** One accepted connection as its server's list holds it. */
export interface Served {
  readonly channel: Channel
  /** Neighbours in the list. */
  previous: Served | undefined
  next: Served | undefined
  /** The public face, made when it is first asked for. */
  readonly connection: Connection<never, never>
  /** Lets what is in flight finish, then closes. */
  finish(): void
  /** Closes now. */
  destroy(): void
}

export class ServedList implements Iterable<Served> {
  #first: Served | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  add(served: Served): void {
    const first = this.#first
    served.next = first
    if (first !== undefined) first.previous = served
    this.#first = served
    this.#size++
  }

  remove(served: Served): void {
    const { previous, next } = served
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next !== undefined) next.previous = previous
    // An iteration that stands on this one still finds the way on.
    served.previous = undefined
    this.#size--
  }

  /** Newest first. The one at hand may be removed meanwhile. */
  *[Symbol.iterator](): Iterator<Served> {
    let served = this.#first
    while (served !== undefined) {
      const next: Served | undefined = served.next
      yield served
      served = next
    }
  }
}
