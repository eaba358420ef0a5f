/** A request somebody waits for: settles once, by whoever is first. Knows its promise, not the wire. */

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
