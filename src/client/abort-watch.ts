/**
 * What ends requests whose signal is aborted. A signal has one listener of it, however many requests share the signal:
 * one for each would make Node warn of a leak from the eleventh on. Knows pending requests, not the wire.
 */
import type { Pending } from './pending.js'

/** Requests that wait under one signal, and the listener that ends them. */
interface Watched {
  readonly pendings: Set<Pending>
  readonly onAbort: () => void
}

export class AbortWatch {
  readonly #watched = new Map<AbortSignal, Watched>()
  readonly #onGivenUp: (pending: Pending) => void

  /** `onGivenUp` is told of each request that its signal ended, behind its rejection. */
  constructor(onGivenUp: (pending: Pending) => void) {
    this.#onGivenUp = onGivenUp
  }

  /** Rejects `pending` with the signal's reason when `signal` is aborted, unless it is settled before. */
  watch(pending: Pending, signal: AbortSignal): void {
    const watched = this.#watched.get(signal) ?? this.#begin(signal)
    watched.pendings.add(pending)
    pending.onSettled = () => {
      watched.pendings.delete(pending)
      if (watched.pendings.size === 0) this.#end(signal, watched)
    }
  }

  #begin(signal: AbortSignal): Watched {
    const pendings = new Set<Pending>()
    const onAbort = () => {
      for (const pending of pendings) {
        pending.reject(signal.reason)
        this.#onGivenUp(pending)
      }
    }
    const watched = { pendings, onAbort }
    this.#watched.set(signal, watched)
    signal.addEventListener('abort', onAbort)
    return watched
  }

  #end(signal: AbortSignal, { onAbort }: Watched): void {
    this.#watched.delete(signal)
    signal.removeEventListener('abort', onAbort)
  }
}
