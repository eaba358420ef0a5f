/** Keeps memory where it is: what Node has for it, and what is to be done where a runtime does not have it. */
import { markAsUntransferable } from 'node:worker_threads'
import type { Seal } from '../own-buffer.js'

/** From here on `memory` is not transferred by `postMessage` or `structuredClone`: refused, by Node 20 copied. */
export const seal: Seal = isThere() ? markAsUntransferable : () => {}

/** Some runtimes have the name only, and throw when it is called. */
function isThere(): boolean {
  try {
    markAsUntransferable(new ArrayBuffer(0))
    return true
  } catch {
    return false
  }
}
