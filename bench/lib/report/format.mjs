// Numbers as people read them. Knows nothing of rows.

export function count(value) {
  if (!Number.isFinite(value)) return '–'
  for (const [unit, size] of [
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ]) {
    if (value >= size) return `${digits(value / size)} ${unit}`
  }
  return digits(value)
}

export function bytes(value) {
  if (!Number.isFinite(value)) return '–'
  for (const [unit, size] of [
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ]) {
    if (value >= size) return `${digits(value / size)} ${unit}`
  }
  return `${Math.round(value)} B`
}

/** Microseconds. */
export function time(value) {
  if (!Number.isFinite(value)) return '–'
  return value >= 10_000 ? `${digits(value / 1000)} ms` : `${digits(value)} µs`
}

/** Nanoseconds. */
export function cpu(value) {
  if (!Number.isFinite(value)) return '–'
  return value >= 10_000 ? `${digits(value / 1000)} µs` : `${digits(value)} ns`
}

export const percent = (value) =>
  Number.isFinite(value) ? `±${(value * 100).toFixed(value < 0.1 ? 1 : 0)}%` : '–'

export function digits(value) {
  const size = Math.abs(value)
  if (size >= 100) return Math.round(value).toLocaleString('en')
  return size >= 10 ? value.toFixed(1) : value.toFixed(2)
}
