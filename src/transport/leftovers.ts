/**
 * What owners keep of channels that are closed: it counts against the memory budget until they let go of it, or until nobody can
 * reach them any more. Knows sums and who they are of, not what is kept.
 */

/** Bytes of one owner. Refers to nothing that would keep the owner alive. */
export class Leftover {
  readonly #count: (bytes: number) => void
  #bytes = 0

  constructor(count: (bytes: number) => void) {
    this.#count = count
  }

  /** So many more, or fewer when negative. */
  keep(bytes: number): void {
    this.#bytes += bytes
    this.#count(bytes)
  }

  /** All of it is gone. */
  release(): void {
    this.keep(-this.#bytes)
  }
}

export class Leftovers {
  readonly #owners = new FinalizationRegistry<Leftover>((leftover) => leftover.release())

  /** `owner` keeps `bytes`. `count` tells the budget of more bytes, or fewer, and may not refer to the owner. */
  of(owner: object, bytes: number, count: (bytes: number) => void): Leftover {
    const leftover = new Leftover(count)
    leftover.keep(bytes)
    this.#owners.register(owner, leftover)
    return leftover
  }
}
