/**
 * `for await` over a connection: a bounded queue between the channel's pushes and the loop's pulls. Knows frames and
 * waiting, not bytes on the wire.
 */
import type { FrameBatch } from '../codec/batch.js'
import type { Connection } from './connection.js'
import type { Consumer } from './types.js'
import type { WaitingBytes } from './waiting-bytes.js'

/** Reading stops while more than this waits for the loop, and goes on when half of it is gone. */
const MOST_FRAMES = 1024
const MOST_BYTES = 256 * 1024

interface Waiter<In> {
  readonly resolve: (result: IteratorResult<In, undefined>) => void
  readonly reject: (reason: Error) => void
}

export class FrameIterator<In> implements Consumer, AsyncIterableIterator<In, undefined> {
  readonly #connection: Connection<In, unknown>
  #queue: In[] = []
  #first = 0
  readonly #waiting: WaitingBytes
  #full = false
  #waiters: Waiter<In>[] = []
  #done = false
  /** The peer has ended its side, and the loop was not told yet. */
  #peerEnded = false
  #error: Error | undefined

  constructor(connection: Connection<In, unknown>) {
    this.#connection = connection
    this.#waiting = connection.waitingBytes()
  }

  onBatch(batch: FrameBatch): void {
    for (let i = 0; i < batch.length && !this.#done; i++) {
      const payload = this.#connection.decode(batch, i)
      const waiter = this.#waiters.shift()
      if (waiter === undefined) {
        this.#queue.push(payload)
        this.#waiting.add(batch.end(i) - batch.start(i))
      } else waiter.resolve({ value: payload, done: false })
    }
    const { count, sum } = this.#waiting
    if (count === 0) return
    this.#waiting.tell()
    if (this.#full || (count < MOST_FRAMES && sum < MOST_BYTES)) return
    this.#full = true
    this.#connection.pause()
  }

  onEnd(): void {
    this.#peerEnded = true
    this.#finish(undefined)
  }

  onDropped(): void {
    this.#queue = []
    this.#first = 0
    this.#waiting.leave(0)
  }

  onClose(error: Error | undefined): void {
    this.#finish(error)
  }

  next(): Promise<IteratorResult<In, undefined>> {
    if (this.#first < this.#queue.length) return Promise.resolve({ value: this.#take(), done: false })
    if (this.#error !== undefined) {
      const error = this.#error
      this.#error = undefined
      return Promise.reject(error)
    }
    if (this.#done) {
      this.#leave()
      return Promise.resolve({ value: undefined, done: true })
    }
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
  }

  /** Leaving the loop: closes the connection, as leaving a loop over a Node stream does. */
  return(): Promise<IteratorResult<In, undefined>> {
    this.onDropped()
    this.#error = undefined
    this.#finish(undefined)
    this.#connection.destroy()
    return Promise.resolve({ value: undefined, done: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #take(): In {
    const value = this.#queue[this.#first]
    this.#queue[this.#first++] = undefined as In
    if (this.#first === this.#queue.length) {
      this.#queue.length = 0
      this.#first = 0
    }
    this.#waiting.leave(this.#queue.length - this.#first)
    if (this.#full && this.#waiting.count <= MOST_FRAMES / 2 && this.#waiting.sum <= MOST_BYTES / 2) {
      this.#full = false
      this.#connection.resume()
    }
    return value
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
    const [first, ...rest] = this.#waiters.splice(0)
    if (first !== undefined) this.#leave()
    if (first === undefined) this.#error = error
    else if (error !== undefined) first.reject(error)
    else first.resolve({ value: undefined, done: true })
    for (const waiter of rest) waiter.resolve({ value: undefined, done: true })
  }
}
