/**
 * SendQueue: what waits for a connection, oldest first. Knows payloads and who waits for an answer; which lane takes them,
 * and how many may wait, is the client's.
 */
import { type Payload, toBytes } from '../codec/bytes.js'
import { encode, frameSize } from '../codec/encoder.js'
import { textSize } from '../codec/text.js'
import type { ChannelConfig } from '../transport/contract.js'
import { Pending } from './pending.js'

export class SendQueue {
  /**
   * A Map keeps the order, and lets go of one in the middle without touching the others: thousands may be given up at once.
   * The key of what nobody waits for is an object of its own.
   */
  readonly #payloads = new Map<object, Payload>()

  get length(): number {
    return this.#payloads.size
  }

  push(payload: Payload, pending: Pending | undefined): void {
    this.#payloads.set(pending ?? {}, payload)
  }

  /** Nobody waits for `pending` any more; does nothing if it has been sent. */
  forget(pending: Pending): void {
    this.#payloads.delete(pending)
  }

  /** Hands everything to `send`, until that says false: it was not taken. */
  flush(send: (payload: Payload, pending: Pending | undefined) => boolean): void {
    for (const [key, payload] of this.#payloads) {
      if (!send(payload, asPending(key))) return
      this.#payloads.delete(key)
    }
  }

  /** Lets go of requests that are overdue; returns the earliest deadline that is left. */
  sweep(now: number, expire: (pending: Pending) => void): number {
    let next = Infinity
    for (const key of this.#payloads.keys()) {
      const pending = asPending(key)
      if (pending === undefined) continue
      if (pending.deadline > now) {
        next = Math.min(next, pending.deadline)
        continue
      }
      this.#payloads.delete(pending)
      expire(pending)
    }
    return next
  }

  /** Nobody will carry it. */
  refuse(reason: unknown): void {
    for (const key of this.#payloads.keys()) asPending(key)?.reject(reason)
    this.#payloads.clear()
  }
}

function asPending(key: object): Pending | undefined {
  return key instanceof Pending ? key : undefined
}

/**
 * What can wait in place of `payload`: its sender may use the memory again.
 * @throws what `Channel.send` throws: what could never be sent is not kept for later.
 */
export function ownPayload(payload: Payload, { format, maxFrameLength }: ChannelConfig): Payload {
  // With its length field in the payload, only writing a frame tells whether it is one.
  if (format.strip >= 0) encode(format, maxFrameLength, payload)
  if (typeof payload === 'string') {
    frameSize(format, maxFrameLength, textSize(payload))
    return payload
  }
  const bytes = toBytes(payload)
  frameSize(format, maxFrameLength, bytes.length)
  return Buffer.from(bytes)
}
