/**
 * A timer for a deadline. What arrived while the loop was busy, or the process was stopped, is read before it is called:
 * a stopped process comes out of its poll without having looked. Knows the event loop's order, not what is waited for.
 */

/** Calls `due` once, `ms` from now. Cleared in between, it may still be called when it had come due. */
export function deadlineTimer(ms: number, due: () => void): NodeJS.Timeout {
  return setTimeout(() => setImmediate(due), ms)
}
