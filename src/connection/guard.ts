/** Callbacks of the user, run so that what they throw reaches `uncaughtException` and cuts nothing short. */
import { EventEmitter, errorMonitor } from 'node:events'

export function guard(callback: () => unknown): void {
  try {
    callback()
  } catch (error) {
    rethrow(error)
  }
}

/**
 * Emits `event`. What a listener throws keeps nothing from those behind it, some of which may be ours; what one returns goes to
 * `onResult`. Where rejections are captured only Node can call them.
 * @returns whether there was one.
 */
export function emitFor(
  onResult: (result: unknown) => void,
  emitter: EventEmitter,
  event: string,
  ...args: unknown[]
): boolean {
  if (EventEmitter.captureRejections) {
    const isHeard = emitter.listenerCount(event) > 0
    guard(() => emitter.emit(event, ...args))
    return isHeard
  }
  if (event === 'error') guard(() => emitter.emit(errorMonitor, ...args))
  const listeners = emitter.rawListeners(event)
  for (const listener of listeners) guard(() => onResult(listener.apply(emitter, args)))
  return listeners.length > 0
}

/** As {@link emitFor}, of listeners that return nothing. */
export function emitGuarded(emitter: EventEmitter, event: string, ...args: unknown[]): boolean {
  return emitFor(() => {}, emitter, event, ...args)
}

/** Knows an error that says how it ended itself. */
export interface Ended {
  hasTold(error: unknown): boolean
}

/** As {@link emitFor}, of listeners that may be async functions and are about `emitter`. */
export function emitAbout(emitter: EventEmitter & Ended, event: string, ...args: unknown[]): boolean {
  return emitFor((result) => settleAbout(emitter, result), emitter, event, ...args)
}

/**
 * What an async callback rejects with is unhandled, as everywhere, unless it is how `ended` ended: whoever wants to hear of that
 * has, and a peer that leaves or breaks the rules must not end the process by way of a loop that nobody wraps. Of promises
 * alone: asking another thenable how it goes may be what makes it go.
 */
export function settleAbout(ended: Ended, result: unknown): void {
  if (!(result instanceof Promise)) return
  result.catch((error: unknown) => {
    if (!ended.hasTold(error)) throw error
  })
}

/** Throws in a tick of its own, as an emitter outside of everything would. */
export function rethrow(error: unknown): void {
  process.nextTick(() => {
    throw error
  })
}
