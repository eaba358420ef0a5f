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

/** One in every connection that is looped over, idle or not: what most of them never need is made when it is. */
export class FrameIterator<In> implements Consumer, AsyncIterableIterator<In, undefined> {
  readonly #connection: Connection<In, unknown>
  /** Frames the loop has not asked for. */
  #frames: WaitingFrames<In> | undefined
  /** A loop waits once at a time. */
  #waiter: Waiter<In> | undefined
  /** Who came while somebody waited. */
  #others: Waiter<In>[] | undefined
  #done = false
  /** The peer has ended its side, and the loop was not told yet. */
  #peerEnded = false
  #error: Error | undefined

  constructor(connection: Connection<In, unknown>) {
    this.#connection = connection
  }

  onBatch(batch: FrameBatch): void {
    let i = 0
    // Behind those that wait for their turn.
    for (; i < batch.length && this.#waiter !== undefined && this.#isEmpty; i++) {
      const value = this.#connection.decode(batch, i)
      this.#nextWaiter()?.({ value, done: false })
    }
    if (this.#done || i === batch.length) return
    this.#frames ??= new WaitingFrames(this.#connection, () => this.#goOn())
    this.#frames.add(batch, i)
  }

  onEnd(): void {
    this.#peerEnded = true
    this.#finish(undefined)
  }

  onDropped(): void {
    this.#frames?.clear()
    this.#goOn()
  }

  onClose(error: Error | undefined): void {
    this.#finish(error)
  }

  next(): Promise<Result<In>> {
    if (this.#frames?.mayTake()) return this.#take(this.#frames)
    if (!this.#isEmpty) return this.#wait()
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

  get #isEmpty(): boolean {
    return this.#frames === undefined || this.#frames.isEmpty
  }

  #wait(): Promise<Result<In>> {
    return new Promise((resolve) => {
      if (this.#waiter === undefined) this.#waiter = resolve
      else {
        this.#others ??= []
        this.#others.push(resolve)
      }
    })
  }

  /** Who has waited longest; the next one moves up. */
  #nextWaiter(): Waiter<In> | undefined {
    const waiter = this.#waiter
    this.#waiter = this.#others?.shift()
    return waiter
  }

  /** Who waits gets what is there, and hears of the end behind it. */
  #goOn(): void {
    while (this.#waiter !== undefined && this.#frames?.mayTake())
      this.#nextWaiter()?.(this.#take(this.#frames))
    if (!this.#done || !this.#isEmpty) return
    while (this.#waiter !== undefined) this.#nextWaiter()?.(this.next())
  }

  #take(frames: WaitingFrames<In>): Promise<Result<In>> {
    try {
      return Promise.resolve({ value: frames.take(), done: false })
    } catch (error) {
      // As everywhere, nothing follows an error.
      frames.clear()
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
