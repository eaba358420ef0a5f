/**
 * Requests and replies on one connection, any number of them. Replies leave in order; while too many handlers are
 * at work, or the peer does not read its replies, no further request is read. Knows requests, not bytes.
 */
import type { FrameBatch } from '../codec/batch.js'
import { type Payload, toBytes } from '../codec/bytes.js'
import { copyBytes } from '../codec/own-buffer.js'
import { BatchQueue } from '../connection/batch-queue.js'
import { KeptBytes } from '../connection/kept-bytes.js'
import { type FrameError, isOverrun } from '../errors.js'
import { COPY_BYTES } from '../transport/contract.js'
import { Turn } from '../transport/turn-share.js'
import { COUNTED_FROM, InHand } from './in-hand.js'
import { ReplyQueue } from './reply-queue.js'
import { ERROR_LINGER, LINGER, promiseOf, Session } from './session.js'

/** How long a connection that has not asked anything may still do so when the server closes, ms. */
const FIRST_REQUEST_MS = 250

/** Bytes of requests whose handlers are at work, from which on no further request of that connection is read. */
const IN_HAND_BYTES = 1024 * 1024

/** What a reply that waits takes beside its bytes. */
const REPLY_COST = 64

/** Stands in the line of replies where the line ends. */
class LastWord {
  readonly error: FrameError

  constructor(error: FrameError) {
    this.error = error
  }
}

/** A reply that waits for those in front of it, as it will be sent, and what it counts until then. */
class WaitingReply {
  readonly payload: Payload
  readonly size: number

  constructor(payload: Payload) {
    if (typeof payload === 'string') {
      this.payload = payload
      this.size = REPLY_COST + Buffer.byteLength(payload)
    } else {
      const bytes = toBytes(payload)
      // The handler's again, as what `send` has taken.
      this.payload = bytes.length > COPY_BYTES ? bytes : copyBytes(bytes, 0, bytes.length)
      this.size = REPLY_COST + bytes.length
    }
  }
}

export class StreamSession extends Session {
  /** Made with the first handler that does not answer at once. */
  #replies: ReplyQueue<unknown> | undefined = undefined
  /** Requests that were read and have to wait. */
  #waiting: BatchQueue | undefined = undefined
  #nextWaiting = 0
  /** When they may be answered. */
  #turn: Turn | undefined = undefined
  /** Replies that wait for their turn. */
  #held: KeptBytes | undefined = undefined
  /** Requests whose handlers are at work. Made with the first that is not answered at once. */
  #inHand: InHand | undefined = undefined
  /** Goes on when all connections together have fewer of them in hand. */
  #goOn: (() => void) | undefined = undefined
  /** They are over the memory budget: the fault is on its way. */
  #overrun = false
  /** `send` has said that enough is queued. */
  #full = false
  #paused = false
  /** After the last request: closing, with an error to tell or without. */
  #ending = false
  #fault: FrameError | undefined = undefined
  #done = false
  /** Runs while the server closes and the first request may still come. */
  #lastCall: NodeJS.Timeout | undefined = undefined

  override batch(batch: FrameBatch): void {
    if (this.#done || this.#ending) return
    this.#take(batch)
    if (this.#lastCall !== undefined) this.#finish()
  }

  #take(batch: FrameBatch): void {
    if (this.#hasWaiting) {
      this.#waiting?.add(batch, 0)
      return
    }
    const answered = this.#answerAll(batch, 0, false)
    if (answered === batch.length || this.#done) return
    this.#waiting ??= new BatchQueue(this.channel)
    this.#waiting.add(batch, answered)
    this.#pause()
  }

  get #hasWaiting(): boolean {
    return this.#waiting !== undefined && this.#waiting.length > 0
  }

  override ended(): boolean {
    if (this.#done) return false
    this.#ending = true
    this.#settle()
    return true
  }

  override faulted(error: FrameError, lost: boolean): boolean {
    this.countFault(error, lost)
    // A handler has ended the connection, and the rest of it is nobody's.
    if (this.#done) return false
    if (lost) {
      this.#stop()
    } else if (isOverrun(error)) {
      // Neither what waits for an answer nor what waits to be one: there is no memory for it.
      this.#conclude(error)
    } else {
      // What came whole before the fault is still answered.
      this.#fault = error
      this.#ending = true
      this.#settle()
    }
    return true
  }

  override drained(): void {
    this.#full = false
    this.#settle()
  }

  override finish(): void {
    // Accepted a moment ago, and its request is on the way: whoever could connect gets an answer.
    if (this.channel.framesReceived > 0 || this.#ending) this.#finish()
    else this.#lastCall ??= setTimeout(() => this.#finish(), FIRST_REQUEST_MS)
  }

  #finish(): void {
    clearTimeout(this.#lastCall)
    this.#ending = true
    this.pauseReading()
    this.#settle()
  }

  override closed(): void {
    clearTimeout(this.#lastCall)
    this.#stop()
    super.closed()
  }

  /** Answers frames from `from` on, those that have `waited` as the turn allows; returns the first that has to wait. */
  #answerAll(batch: FrameBatch, from: number, waited: boolean): number {
    for (let i = from; i < batch.length; i++) {
      if (this.#full || this.#overrun || this.#busy()) return i
      if (waited && !this.#hasTurn()) return i
      // A handler that closes its connection gets no further request.
      if (this.madeConnection !== undefined && !this.channel.writable) this.#stop()
      if (this.#done) return batch.length
      const size = batch.end(i) - batch.start(i)
      // A large one is not begun without room for it.
      if (size >= COUNTED_FROM && !this.#hasRoom(size)) return i
      let payload: never
      try {
        payload = this.decode(batch, i)
      } catch (error) {
        this.#waiting?.clear()
        this.fail(error as FrameError)
        return batch.length
      }
      this.#answer(payload, size)
    }
    return batch.length
  }

  /** A frame that has waited may be answered now; otherwise they are gone on with when one may. */
  #hasTurn(): boolean {
    this.#turn ??= new Turn(this.channel.turnShare, () => this.#settle())
    return this.#turn.take()
  }

  /** Whether a handler may have so much in hand. */
  #hasRoom(size: number): boolean {
    if (!this.channel.keep(size)) this.#overrun = true
    this.channel.keep(-size)
    return !this.#overrun
  }

  #busy(): boolean {
    const outstanding = this.#replies?.outstanding ?? 0
    if (outstanding === 0) return false
    if (outstanding >= this.host.maxPendingRequests || (this.#inHand?.bytes ?? 0) >= IN_HAND_BYTES)
      return true
    const { inHand } = this.host
    if (!inHand.isFull) return false
    this.#goOn ??= () => this.#settle()
    inHand.wait(this.#goOn)
    return true
  }

  #answer(payload: never, size: number): void {
    const { totals } = this.host
    totals.requests++
    const replies = this.#replies
    let result: unknown
    let promise: Promise<unknown> | undefined
    try {
      result = this.host.onRequest!(payload, this.context)
      promise = promiseOf(result)
    } catch (cause) {
      this.#place(new LastWord(this.handlerFailed(cause)))
      return
    }
    if (promise !== undefined) this.#await(promise, size)
    else if (replies === undefined || replies.outstanding === 0) this.#deliver(result)
    else this.#place(result)
  }

  /** The place of a reply that is ready, behind those that are not. */
  #place(reply: unknown): void {
    const replies = this.#line()
    this.host.totals.pendingRequests++
    this.#ready(replies, replies.reserve(), reply)
  }

  /** The reply of `place` is there. */
  #ready(replies: ReplyQueue<unknown>, place: number, reply: unknown): void {
    replies.settle(place, replies.isNext(place) ? reply : this.#hold(reply))
  }

  /** What stands in the line for a reply that has to wait. */
  #hold(reply: unknown): unknown {
    if (reply === undefined || reply instanceof LastWord) return reply
    if (this.#overrun) return undefined
    try {
      const waiting = new WaitingReply(this.encode(reply))
      this.#count(waiting.size)
      return waiting
    } catch (cause) {
      return new LastWord(this.handlerFailed(cause))
    }
  }

  #count(bytes: number): void {
    this.#held ??= new KeptBytes(this.channel)
    this.#held.sum += bytes
    if (!this.#held.tell()) this.#overrun = true
  }

  #await(result: Promise<unknown>, size: number): void {
    const replies = this.#line()
    const place = replies.reserve()
    this.host.totals.pendingRequests++
    this.#inHand ??= new InHand(this.channel, this.host.inHand)
    const inHand = this.#inHand
    if (!inHand.take(size)) this.#overrun = true
    const settle = (reply: unknown) => {
      inHand.release(size)
      if (this.#done) return
      this.#ready(replies, place, reply)
      this.#settle()
    }
    result.then(settle, (cause) => settle(new LastWord(this.handlerFailed(cause))))
  }

  #line(): ReplyQueue<unknown> {
    this.#replies ??= new ReplyQueue((reply) => {
      this.host.totals.pendingRequests--
      this.#deliver(reply)
    })
    return this.#replies
  }

  /** It is this reply's turn. */
  #deliver(reply: unknown): void {
    if (reply instanceof LastWord) {
      this.#conclude(reply.error)
      return
    }
    if (reply === undefined) return
    const isHeld = reply instanceof WaitingReply
    if (isHeld) this.#count(-reply.size)
    try {
      const payload = isHeld ? reply.payload : this.encode(reply)
      if (!this.channel.send(payload)) this.#full = this.channel.writable
    } catch (cause) {
      this.#conclude(this.handlerFailed(cause))
    }
  }

  /** Goes on where something that was waited for has happened. */
  #settle(): void {
    const waiting = this.#waiting
    while (waiting !== undefined && waiting.length > 0 && !this.#done) {
      const batch = waiting.first
      this.#nextWaiting = this.#answerAll(batch, this.#nextWaiting, true)
      if (this.#nextWaiting < batch.length) return
      waiting.shift()
      this.#nextWaiting = 0
    }
    if (this.#done) return
    if (this.#ending) {
      if (this.#replies === undefined || this.#replies.outstanding === 0) this.#conclude(this.#fault)
    } else if (this.#paused && !this.#full && !this.#busy()) {
      this.#paused = false
      this.resumeReading()
    }
  }

  #pause(): void {
    if (this.#paused) return
    this.#paused = true
    this.pauseReading()
  }

  /** The last reply has been queued. */
  #conclude(error: FrameError | undefined): void {
    if (this.#done) return
    this.#stop()
    if (error !== undefined) this.sendErrorReply(error)
    this.channel.close(error === undefined ? LINGER : ERROR_LINGER)
  }

  /** No request is answered any more. */
  #stop(): void {
    if (this.#done) return
    this.#done = true
    this.#waiting?.clear()
    if (this.#goOn !== undefined) this.host.inHand.leave(this.#goOn)
    this.#inHand?.leave()
    if (this.#replies !== undefined) {
      this.host.totals.pendingRequests -= this.#replies.outstanding
      this.#replies.clear()
      if (this.#held !== undefined) this.#count(-this.#held.sum)
    }
    // Nobody reads what comes, but that the peer ends has to be seen.
    if (!this.#paused) return
    this.#paused = false
    this.resumeReading()
  }
}
