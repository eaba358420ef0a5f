/** Callbacks of the user, run so that what they throw reaches `uncaughtException` and cuts nothing short. */
import { EventEmitter } from 'node:events'

export function guard(callback: () => unknown): void {
  try {
    callback()
  } catch (error) {
    rethrow(error)
  }
}

/**
 * Emits `event`. What a listener throws keeps nothing from those behind it, some of which may be ours. Where rejections
 * are captured only Node can call them.
 */
export function emitGuarded(emitter: EventEmitter, event: string, ...args: unknown[]): void {
  if (emitter.listenerCount(event) < 2 || EventEmitter.captureRejections) {
    guard(() => emitter.emit(event, ...args))
    return
  }
  for (const listener of emitter.rawListeners(event)) guard(() => listener.apply(emitter, args))
}

/** Throws in a tick of its own, as an emitter outside of everything would. */
export function rethrow(error: unknown): void {
  process.nextTick(() => {
    throw error
  })
}
