/**
 * Latencies in little memory: buckets that are 1/64 of their power of two wide, so that every figure is right to 1.6%.
 * Knows numbers only; the unit is its user's.
 */
const SUB = 64
const SUB_BITS = 6

export class LogHistogram {
  readonly #buckets: number[] = []
  #count = 0
  #sum = 0
  #min = Number.POSITIVE_INFINITY
  #max = 0

  get count(): number {
    return this.#count
  }

  get min(): number {
    return this.#count === 0 ? 0 : this.#min
  }

  get max(): number {
    return this.#max
  }

  get mean(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count
  }

  /** `value` is at least 0; fractions are dropped. */
  record(value: number): void {
    const index = bucketOf(Math.floor(value))
    this.#buckets[index] = (this.#buckets[index] ?? 0) + 1
    this.#count++
    this.#sum += value
    if (value < this.#min) this.#min = value
    if (value > this.#max) this.#max = value
  }

  /** The value that `share` (0 to 1) of all are not above. */
  quantile(share: number): number {
    const rank = Math.max(1, Math.ceil(share * this.#count))
    let seen = 0
    for (let i = 0; i < this.#buckets.length; i++) {
      seen += this.#buckets[i] ?? 0
      if (seen >= rank) return Math.min(upperBound(i), this.#max)
    }
    return this.#max
  }

  /** Counts per power of two, from the smallest to the largest that occurs. */
  octaves(): { readonly from: number; readonly to: number; readonly count: number }[] {
    const rows: { from: number; to: number; count: number }[] = []
    for (let i = 0; i < this.#buckets.length; i++) {
      const count = this.#buckets[i] ?? 0
      const to = octaveEnd(upperBound(i))
      const last = rows.at(-1)
      if (last?.to === to) last.count += count
      else if (count > 0 || last !== undefined) rows.push({ from: to / 2, to, count })
    }
    return rows
  }
}

function bucketOf(value: number): number {
  if (value < SUB) return value
  const shift = Math.floor(Math.log2(value)) - SUB_BITS + 1
  return shift * (SUB / 2) + Math.floor(value / 2 ** shift)
}

/** The largest whole value of a bucket. */
function upperBound(index: number): number {
  if (index < SUB) return index
  const shift = Math.floor((index - SUB) / (SUB / 2)) + 1
  return (index - shift * (SUB / 2) + 1) * 2 ** shift - 1
}

/** The power of two above a value. */
function octaveEnd(value: number): number {
  return value === 0 ? 1 : 2 ** (Math.floor(Math.log2(value)) + 1)
}
