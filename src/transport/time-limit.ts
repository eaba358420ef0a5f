/** Time limits: a timer for one, and one on something that a signal can end. Knows timers and signals, not what is done under them. */

/**
 * Calls `due` once, `ms` from now. What arrived while the loop was busy, or the process was stopped, is read before: a stopped
 * process comes out of its poll without having looked. Cleared in between, it may still be called when it had come due.
 */
export function deadlineTimer(ms: number, due: () => void): NodeJS.Timeout {
  return setTimeout(() => setImmediate(due), ms)
}

/**
 * Runs `task` with a signal that is aborted with the reason of `outer`, or with `expired()` when `ms` have passed (0: never).
 * @throws (rejects) the signal's reason once it is aborted, whatever `task` makes of that.
 */
export async function withinTime<T>(
  ms: number,
  expired: () => unknown,
  outer: AbortSignal | undefined,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  outer?.throwIfAborted()
  const limit = new AbortController()
  const timer = ms > 0 ? deadlineTimer(ms, () => limit.abort(expired())) : undefined
  const onAbort = () => limit.abort(outer?.reason)
  outer?.addEventListener('abort', onAbort, { once: true })
  try {
    return await task(limit.signal)
  } catch (error) {
    throw limit.signal.aborted ? limit.signal.reason : error
  } finally {
    clearTimeout(timer)
    outer?.removeEventListener('abort', onAbort)
  }
}
