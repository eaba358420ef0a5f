/** Requests that somebody waits for: each settles once, by whoever is first. Knows promises and signals, not the wire. */

type Resolve = (value: unknown) => void
type Reject = (reason: unknown) => void

export class Pending {
  /** Where its frame starts in what its channel has accepted; -1: not sent. */
  start = -1
  /** When it is given up, on the clock of `performance.now()`. */
  readonly deadline: number
  /** The limit behind that, ms. */
  readonly timeout: number
  /** Called once, when it settles. */
  onSettled: (() => void) | undefined = undefined
  #resolve: Resolve | undefined
  #reject: Reject

  constructor(resolve: Resolve, reject: Reject, timeout: number, deadline: number) {
    this.#resolve = resolve
    this.#reject = reject
    this.timeout = timeout
    this.deadline = deadline
  }

  /** Nobody waits any more. Its reply, if it was sent, still has to pass. */
  get settled(): boolean {
    return this.#resolve === undefined
  }

  resolve(value: unknown): void {
    const resolve = this.#resolve
    if (resolve === undefined) return
    this.#done()
    resolve(value)
  }

  reject(reason: unknown): void {
    if (this.#resolve === undefined) return
    this.#done()
    this.#reject(reason)
  }

  #done(): void {
    this.#resolve = undefined
    this.onSettled?.()
    this.onSettled = undefined
  }
}

/** Requests that wait under one signal, and the listener that ends them. */
interface Watched {
  readonly pendings: Set<Pending>
  readonly onAbort: () => void
}

/**
 * What ends requests whose signal is aborted. A signal has one listener of it, however many requests share the signal:
 * one for each would make Node warn of a leak from the eleventh on.
 */
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
