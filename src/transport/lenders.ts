/**
 * Who lends memory to callbacks in this thread: the hubs of both transports, of every copy of the package that is loaded. A hub
 * knows of its own memory when it is read to again; of another's only that it may not be queued by reference. Knows no hub.
 */

export interface Lender {
  /** `memory` is lent, and read to again while what was queued of it may still wait. */
  lends(memory: ArrayBufferLike): boolean
}

const KEY = Symbol.for('framewire.lenders')
const shared = globalThis as { [KEY]?: Lender[] }
shared[KEY] ??= []
const lenders = shared[KEY]

/** For good: a hub lives as long as its thread. */
export function addLender(lender: Lender): void {
  lenders.push(lender)
}

/** Anybody but `self` lends it. */
export function isLent(memory: ArrayBufferLike, self?: Lender): boolean {
  for (const lender of lenders) if (lender !== self && lender.lends(memory)) return true
  return false
}
