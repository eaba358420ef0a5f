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

/** What is behind the last frame. */
interface End {
  /** Not told yet. */
  error: Error | undefined
  /** By the peer, and the loop was not told yet. */
  byPeer: boolean
}

/** One in every connection that is looped over, idle or not: what most of them never need is made when it is. */
export class FrameIterator<In> implements Consumer, AsyncIterableIterator<In, undefined> {
  readonly #connection: Connection<In, unknown>
  /** Frames the loop has not asked for. */
  #frames: WaitingFrames<In> | undefined
  /** A loop waits once at a time. */
  #waiter: Waiter<In> | undefined
  /** Who came while somebody waited. */
  #others: Waiter<In>[] | undefined
  /** undefined: there is more to come. */
  #end: End | undefined

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
    if (this.#end !== undefined || i === batch.length) return
    this.#frames ??= new WaitingFrames(this.#connection, () => this.#goOn())
    this.#frames.add(batch, i)
  }

  onEnd(): void {
    this.#finish(undefined, true)
  }

  onDropped(): void {
    this.#frames?.clear()
    this.#goOn()
  }

  onClose(error: Error | undefined): void {
    this.#finish(error, false)
  }

  next(): Promise<Result<In>> {
    if (this.#frames?.mayTake()) return this.#take(this.#frames)
    if (!this.#isEmpty) return this.#wait()
    return this.#end === undefined ? this.#wait() : this.#tell(this.#end)
  }

  /** Leaving the loop: closes the connection, as leaving a loop over a Node stream does. */
  return(): Promise<Result<In>> {
    this.onDropped()
    if (this.#end === undefined) this.#finish(undefined, false)
    else this.#end.error = undefined
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
    if (this.#end === undefined || !this.#isEmpty) return
    while (this.#waiter !== undefined) this.#nextWaiter()?.(this.next())
  }

  #take(frames: WaitingFrames<In>): Promise<Result<In>> {
    try {
      return Promise.resolve({ value: frames.take(), done: false })
    } catch (error) {
      // As everywhere, nothing follows an error.
      frames.clear()
      this.#end = { error: undefined, byPeer: false }
      this.#connection.fail(error as FrameError)
      return Promise.reject(error)
    }
  }

  /** What `next` says behind the last frame: the error once, and then that the loop is over. */
  #tell(end: End): Promise<Result<In>> {
    const { error } = end
    if (error !== undefined) {
      end.error = undefined
      return Promise.reject(error)
    }
    if (end.byPeer) this.#leave(end)
    return Promise.resolve({ value: undefined, done: true })
  }

  /** The loop is over. The code behind it gets to send its last frames before our side is ended as well. */
  #leave(end: End): void {
    end.byPeer = false
    setImmediate(() => this.#connection.endUnattended())
  }

  #finish(error: Error | undefined, byPeer: boolean): void {
    if (this.#end !== undefined) return
    this.#end = { error, byPeer }
    this.#goOn()
  }
}
