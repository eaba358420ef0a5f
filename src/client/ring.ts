/** A queue in an array that doubles: nothing moves when the oldest leaves. Knows order only. */
export class Ring<T> {
  #slots: (T | undefined)[] = new Array<T | undefined>(16).fill(undefined)
  #head = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  push(item: T): void {
    if (this.#length === this.#slots.length) this.#grow()
    this.#slots[(this.#head + this.#length++) & (this.#slots.length - 1)] = item
  }

  /** Takes the oldest. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined
    const item = this.#slots[this.#head]
    this.#slots[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#slots.length - 1)
    this.#length--
    return item
  }

  /** Item `i`, 0 being the oldest; `i` must be below `length`. */
  at(i: number): T {
    return this.#slots[(this.#head + i) & (this.#slots.length - 1)] as T
  }

  #grow(): void {
    const size = this.#slots.length
    const slots = new Array<T | undefined>(size * 2).fill(undefined)
    for (let i = 0; i < size; i++) slots[i] = this.at(i)
    this.#slots = slots
    this.#head = 0
  }
}
