/** Runs a callback of the user; what it throws reaches `uncaughtException` without cutting short what follows. */
export function guarded(callback: () => unknown): void {
  try {
    callback()
  } catch (error) {
    process.nextTick(() => {
      throw error
    })
  }
}
