/** Callbacks of the user, run so that what they throw reaches `uncaughtException` and cuts nothing short. */

export function guard(callback: () => unknown): void {
  try {
    callback()
  } catch (error) {
    rethrow(error)
  }
}

/** Throws in a tick of its own, as an emitter outside of everything would. */
export function rethrow(error: unknown): void {
  process.nextTick(() => {
    throw error
  })
}
