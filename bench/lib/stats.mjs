// Medians and spreads of a party's rounds.

export function median(values) {
  if (values.length === 0) return Number.NaN
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Half the range over the median, as a fraction. */
export function spread(values) {
  if (values.length < 2) return 0
  return (Math.max(...values) - Math.min(...values)) / 2 / median(values)
}

/** What is divided by what when two parties are compared: of these every round's value is kept. */
const COMPARED = ['rate', 'bytesPerSecond', 'p50']

/** Medians of everything the rounds measured; `spread` is that of the row's own figure, `each` has single rounds. */
export function summarize(samples, figure) {
  const keys = Object.keys(samples[0])
  const summary = {}
  for (const key of keys) summary[key] = median(samples.map((sample) => sample[key]))
  const each = Object.fromEntries(
    COMPARED.filter((key) => keys.includes(key)).map((key) => [key, samples.map((sample) => sample[key])]),
  )
  return { ...summary, spread: spread(samples.map((sample) => sample[figure])), rounds: samples.length, each }
}
