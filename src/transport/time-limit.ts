/** A time limit on something that a signal can end. Knows timers and signals, not what is done under them. */
import { deadlineTimer } from './deadline-timer.js'

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
