// How long to wait before the next try. Knows numbers only.

/**
 * Doubles per failure up to `cap`, of which the last half is random: those that failed together do not return together.
 * @param {number} failures 1 for the first failure  @param {number} base ms  @param {number} [cap] ms
 */
export function backOff(failures, base, cap = 60_000) {
  const full = Math.min(cap, base * 2 ** Math.min(failures - 1, 30))
  return Math.round(full / 2 + (Math.random() * full) / 2)
}
