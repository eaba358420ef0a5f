/**
 * Replies in the order their requests came, whatever order they are ready in. Knows places in a line, not frames,
 * handlers or connections.
 */

const WAITING = Symbol('waiting')

/** A ring that doubles: a place is taken by number, and its memory is used again once its reply has left. */
export class ReplyQueue<Reply> {
  readonly #deliver: (reply: Reply) => void
  #slots: (Reply | typeof WAITING | undefined)[] = []
  /** Number of the oldest place whose reply has not left, and of the next place to give. */
  #head = 0
  #tail = 0

  /** `deliver` is called once for every place, in order, from inside the {@link settle} that makes it possible. */
  constructor(deliver: (reply: Reply) => void) {
    this.#deliver = deliver
  }

  /** Places whose reply has not left. */
  get outstanding(): number {
    return this.#tail - this.#head
  }

  /** The reply of `place` leaves as soon as it is there. */
  isNext(place: number): boolean {
    return place === this.#head
  }

  /** Takes the next place. */
  reserve(): number {
    const size = this.#slots.length
    if (this.#tail - this.#head === size) this.#grow(size === 0 ? 4 : size * 2)
    this.#slots[this.#tail & (this.#slots.length - 1)] = WAITING
    return this.#tail++
  }

  /** The reply of `place` is ready: it leaves, with those behind it that were ready before, or waits for its turn. */
  settle(place: number, reply: Reply): void {
    if (place < this.#head) return
    const mask = this.#slots.length - 1
    this.#slots[place & mask] = reply
    if (place !== this.#head) return
    while (this.#head !== this.#tail) {
      const at = this.#head & (this.#slots.length - 1)
      const next = this.#slots[at]
      if (next === WAITING) return
      this.#slots[at] = undefined
      this.#head++
      this.#deliver(next as Reply)
    }
  }

  /** Forgets every place: what is settled later goes nowhere. */
  clear(): void {
    this.#head = this.#tail
    this.#slots = []
  }

  #grow(size: number): void {
    const slots = new Array<Reply | typeof WAITING | undefined>(size).fill(undefined)
    const mask = this.#slots.length - 1
    for (let i = this.#head; i < this.#tail; i++) slots[i & (size - 1)] = this.#slots[i & mask]
    this.#slots = slots
  }
}
