/**
 * One frame, one reply, and a close that lets the reply arrive: the exchange for short-lived clients. Whatever
 * happens the client is answered, and a client that does not wait for it is no error. Knows the order of that, not
 * the texts.
 */
import type { FrameBatch } from '../codec/batch.js'
import { FrameError } from '../errors.js'
import type { Linger } from '../transport/contract.js'
import { COUNTED_FROM } from './in-hand.js'
import { ACCEPTED, briefRefusal, HEADER_MISSING, refusal } from './refusals.js'
import { ERROR_LINGER, LINGER, promiseOf, Session } from './session.js'

export class OnceSession extends Session {
  /** The frame arrived, or the client was refused: bytes behind that are nobody's, and deadlines are over. */
  #taken = false
  /** A handler is at work. */
  #pending = false
  /** More than the one frame came: the client may be writing still, and must not find a closed door in place of an answer. */
  #sendsMore = false
  /** There is no memory for its request: the fault is on its way. */
  #overrun = false

  override batch(batch: FrameBatch): void {
    if (this.#taken || this.#overrun) return
    const size = batch.end(0) - batch.start(0)
    const counted = size < COUNTED_FROM ? 0 : size
    if (!this.#keep(counted)) {
      this.#overrun = true
      this.#keep(-counted)
      return
    }
    this.#taken = true
    this.#sendsMore = batch.length > 1
    const waited = this.#request(batch)
    if (waited === undefined) this.#keep(-counted)
    else this.#await(waited, counted)
  }

  /** Gives the first frame of `batch` to the handler. What it returns has to be waited for; undefined: it has answered. */
  #request(batch: FrameBatch): Promise<unknown> | undefined {
    const { onRequest } = this.host
    if (onRequest === undefined) {
      this.#close(ACCEPTED)
      return undefined
    }
    let payload: never
    try {
      payload = this.decode(batch, 0)
    } catch (error) {
      this.#taken = false
      this.fail(error as FrameError)
      return undefined
    }
    this.host.totals.requests++
    let result: unknown
    try {
      result = onRequest(payload, this.context)
      const promise = promiseOf(result)
      if (promise !== undefined) return promise
    } catch (cause) {
      this.#refuse(this.handlerFailed(cause))
      return undefined
    }
    this.#answer(result)
    return undefined
  }

  #keep(bytes: number): boolean {
    return bytes === 0 || this.channel.keep(bytes)
  }

  override ended(): boolean {
    if (this.#taken || this.#overrun) return true
    this.#taken = true
    if (this.host.errorReply === undefined) this.#close(HEADER_MISSING)
    else this.#refuse(new FrameError('ERR_FRAME_TRUNCATED', { received: 0, connectionId: this.id }))
    return true
  }

  override faulted(error: FrameError, lost: boolean): boolean {
    if (this.#taken) return true
    this.#taken = true
    this.countFault(error, lost)
    if (!lost) this.#refuse(error)
    return true
  }

  /** Refused before anything of it was read: its frame is on the way, and must not find a closed door in place of an answer. */
  turnAway(error: FrameError): void {
    this.#taken = true
    this.#refuse(error, ERROR_LINGER)
  }

  /** Served to its end, which its deadlines bound: whoever was accepted is not refused for being late. */
  override finish(): void {}

  override channelFault(error: FrameError, lost: boolean): void {
    if (!this.#taken) super.channelFault(error, lost)
  }

  override closed(): void {
    if (this.#pending) this.host.totals.pendingRequests--
    this.#pending = false
    super.closed()
  }

  #await(result: Promise<unknown>, counted: number): void {
    this.#pending = true
    this.host.totals.pendingRequests++
    this.pauseReading()
    result.then(
      (reply) => {
        this.#keep(-counted)
        if (this.#handled()) this.#answer(reply)
      },
      (cause) => {
        this.#keep(-counted)
        const error = this.handlerFailed(cause)
        if (this.#handled()) this.#refuse(error)
      },
    )
  }

  /** The handler has finished. False when nobody is there any more. */
  #handled(): boolean {
    const waited = this.#pending
    if (waited) this.host.totals.pendingRequests--
    this.#pending = false
    return waited
  }

  #answer(reply: unknown): void {
    if (reply !== undefined) {
      try {
        this.channel.send(this.encode(reply))
      } catch (cause) {
        this.#refuse(this.handlerFailed(cause))
        return
      }
    }
    this.channel.close(this.#linger)
  }

  #refuse(error: FrameError, linger: Linger = this.#linger): void {
    if (this.host.errorReply === undefined || !this.sendErrorReply(error)) {
      if (!this.#say(refusal(error))) this.#say(briefRefusal(error))
    }
    this.channel.close(linger)
  }

  get #linger(): Linger {
    return this.#sendsMore ? ERROR_LINGER : LINGER
  }

  #close(text: string): void {
    this.#say(text)
    this.channel.close(this.#linger)
  }

  /** False: the length field is too small for it. */
  #say(text: string): boolean {
    try {
      this.channel.send(text)
      return true
    } catch {
      // Over `maxFrameLength`, which holds for both directions, but not for what is said here.
      return this.#sayAtAnyLength(text)
    }
  }

  #sayAtAnyLength(text: string): boolean {
    try {
      this.channel.sendOwn(text)
      return true
    } catch {
      return false
    }
  }
}
