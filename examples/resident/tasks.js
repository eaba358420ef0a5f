// The application's background tasks. Each runs in a worker thread; `run` may report progress from 0 to 1.
// Limits: `retries` after a failure, `backOff` ms before the first of them, `timeLimit` ms for one try.

/** Counts primes with a sieve in segments, so that memory stays small and progress is known. */
function countPrimes(upTo, progress) {
  const root = Math.floor(Math.sqrt(upTo))
  const small = primesUpTo(root)
  const size = 1 << 16
  let count = 0
  for (let low = 2; low <= upTo; low += size) {
    const high = Math.min(low + size - 1, upTo)
    const composite = new Uint8Array(high - low + 1)
    for (const prime of small) {
      const first = Math.max(prime * prime, Math.ceil(low / prime) * prime)
      for (let multiple = first; multiple <= high; multiple += prime) composite[multiple - low] = 1
    }
    for (const mark of composite) if (mark === 0) count++
    progress(high / upTo)
  }
  return count
}

function primesUpTo(limit) {
  const composite = new Uint8Array(limit + 1)
  const primes = []
  for (let i = 2; i <= limit; i++) {
    if (composite[i]) continue
    primes.push(i)
    for (let multiple = i * i; multiple <= limit; multiple += i) composite[multiple] = 1
  }
  return primes
}

export default {
  primes: {
    timeLimit: 120_000,
    retries: 2,
    run: ({ upTo }, { progress }) => ({ upTo, count: countPrimes(upTo, progress) }),
  },
}
