/** Waiting for what must come, without sleeping: turns of the loop until it is there. */

/** A turn of the event loop, input included. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** The test's own time limit bounds it. */
export async function until(isThere: () => boolean): Promise<void> {
  while (!isThere()) await settled()
}

/** A promise and what settles it. */
export function deferred<T = void>(): {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (reason: unknown) => void
} {
  let resolve!: (value: T) => void
  let reject!: (reason: unknown) => void
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}
