/**
 * `for await` over a connection: what arrives goes to who waits for it, and waits for the loop otherwise. Knows frames and
 * waiting, not bytes on the wire.
 */
import type { FrameBatch } from '../codec/batch.js'
import type { FrameError } from '../errors.js'
import type { Connection } from './connection.js'
import type { Consumer } from './types.js'
import { WaitingFrames } from './waiting-frames.js'

type Result<In> = IteratorResult<In, undefined>
/** Settles a `next` that had to wait. */
type Waiter<In> = (result: Result<In> | Promise<Result<In>>) => void

export class FrameIterator<In> implements Consumer, AsyncIterableIterator<In, undefined> {
  readonly #connection: Connection<In, unknown>
  readonly #frames: WaitingFrames<In>
  #waiters: Waiter<In>[] = []
  #done = false
  /** The peer has ended its side, and the loop was not told yet. */
  #peerEnded = false
  #error: Error | undefined

  constructor(connection: Connection<In, unknown>) {
    this.#connection = connection
    this.#frames = new WaitingFrames(connection, () => this.#goOn())
  }

  onBatch(batch: FrameBatch): void {
    let i = 0
    // Behind those that wait for their turn.
    for (; i < batch.length && this.#waiters.length > 0 && this.#frames.isEmpty; i++) {
      const value = this.#connection.decode(batch, i)
      this.#waiters.shift()?.({ value, done: false })
    }
    if (!this.#done) this.#frames.add(batch, i)
  }

  onEnd(): void {
    this.#peerEnded = true
    this.#finish(undefined)
  }

  onDropped(): void {
    this.#frames.clear()
    this.#goOn()
  }

  onClose(error: Error | undefined): void {
    this.#finish(error)
  }

  next(): Promise<Result<In>> {
    if (this.#frames.mayTake()) return this.#take()
    if (!this.#frames.isEmpty) return this.#wait()
    if (this.#error !== undefined) {
      const error = this.#error
      this.#error = undefined
      return Promise.reject(error)
    }
    if (this.#done) {
      this.#leave()
      return Promise.resolve({ value: undefined, done: true })
    }
    return this.#wait()
  }

  /** Leaving the loop: closes the connection, as leaving a loop over a Node stream does. */
  return(): Promise<Result<In>> {
    this.onDropped()
    this.#error = undefined
    this.#finish(undefined)
    this.#connection.destroy()
    return Promise.resolve({ value: undefined, done: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #wait(): Promise<Result<In>> {
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  /** Who waits gets what is there, and hears of the end behind it. */
  #goOn(): void {
    while (this.#waiters.length > 0 && this.#frames.mayTake()) this.#waiters.shift()?.(this.#take())
    if (!this.#done || !this.#frames.isEmpty) return
    for (const waiter of this.#waiters.splice(0)) waiter(this.next())
  }

  #take(): Promise<Result<In>> {
    try {
      return Promise.resolve({ value: this.#frames.take(), done: false })
    } catch (error) {
      // As everywhere, nothing follows an error.
      this.#frames.clear()
      this.#done = true
      this.#error = undefined
      this.#peerEnded = false
      this.#connection.fail(error as FrameError)
      return Promise.reject(error)
    }
  }

  /** The loop is over. The code behind it gets to send its last frames before our side is ended as well. */
  #leave(): void {
    if (!this.#peerEnded) return
    this.#peerEnded = false
    setImmediate(() => this.#connection.endUnattended())
  }

  #finish(error: Error | undefined): void {
    if (this.#done) return
    this.#done = true
    this.#error = error
    this.#goOn()
  }
}
