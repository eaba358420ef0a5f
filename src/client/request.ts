/** One connection, one frame each way, close. Knows one request, not how connections are kept. */
import type { FrameBatch } from '../codec/batch.js'
import { FrameError } from '../errors.js'
import { msOption, optionsObject, signalOption } from '../options.js'
import type { Channel, ChannelEvents } from '../transport/contract.js'
import { deadlineTimer } from '../transport/time-limit.js'
import { type Dial, dial } from './dial.js'
import { lostError } from './lane.js'
import type { RequestOptions } from './types.js'

/** Default of `timeout`, ms. */
const REQUEST_TIMEOUT_MS = 30_000

export async function requestOnce(
  to: Dial,
  payload: unknown,
  given: RequestOptions | undefined,
): Promise<unknown> {
  const options = optionsObject<RequestOptions>(given)
  const timeout = msOption('timeout', options.timeout, REQUEST_TIMEOUT_MS)
  const signal = signalOption(options.signal)
  const encoded = to.serialization.encode(payload)
  const limit = new AbortController()
  const expired = Symbol('expired')
  let exchange: OneExchange | undefined
  const onTimeout = () => {
    limit.abort(expired)
    exchange?.destroy()
  }
  const timer = timeout > 0 ? deadlineTimer(timeout, onTimeout) : undefined
  const unfollow = [follow(to.signal, limit), follow(signal, limit)]
  try {
    exchange = await dial(to, limit.signal, (channel) => new OneExchange(to, channel, limit.signal))
    return await exchange.run(encoded)
  } catch (error) {
    if (error !== expired) throw error
    const neverWritten = exchange === undefined || exchange.neverWritten
    throw new FrameError('ERR_FRAME_REQUEST_TIMEOUT', { limit: timeout, neverWritten })
  } finally {
    // Whoever answers what he has not read may never read it: the time is for that, too.
    if (exchange === undefined) clearTimeout(timer)
    else exchange.whenClosed(() => clearTimeout(timer))
    for (const stop of unfollow) stop()
  }
}

/** Aborts `controller` as soon as `signal` is aborted; returns what ends that. */
function follow(signal: AbortSignal | undefined, controller: AbortController): () => void {
  if (signal === undefined) return () => {}
  const onAbort = () => controller.abort(signal.reason)
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  return () => signal.removeEventListener('abort', onAbort)
}

class OneExchange implements ChannelEvents {
  readonly #dial: Dial
  readonly #channel: Channel
  readonly #signal: AbortSignal
  #resolve!: (value: unknown) => void
  #reject!: (reason: unknown) => void
  #fault: Error | undefined
  #isClosed = false
  #onClosed: (() => void) | undefined
  readonly #reply = new Promise<unknown>((resolve, reject) => {
    this.#resolve = resolve
    this.#reject = reject
  })

  constructor(to: Dial, channel: Channel, signal: AbortSignal) {
    this.#dial = to
    this.#channel = channel
    this.#signal = signal
    channel.events = this
  }

  /** Not a byte of the request was written; exact once the channel is closed. */
  get neverWritten(): boolean {
    return this.#channel.writtenBytes === 0
  }

  async run(payload: unknown): Promise<unknown> {
    const onAbort = () => this.#giveUp(this.#signal.reason)
    try {
      this.#channel.send(payload as Uint8Array)
    } catch (error) {
      this.#giveUp(error)
    }
    this.#signal.addEventListener('abort', onAbort, { once: true })
    if (this.#signal.aborted) onAbort()
    try {
      return await this.#reply
    } finally {
      this.#signal.removeEventListener('abort', onAbort)
    }
  }

  #giveUp(reason: unknown): void {
    this.#reject(reason)
    this.#channel.destroy()
  }

  destroy(): void {
    this.#channel.destroy()
  }

  /** Calls `then` when the descriptor is closed, now if it is. */
  whenClosed(then: () => void): void {
    if (this.#isClosed) then()
    else this.#onClosed = then
  }

  channelBatch(batch: FrameBatch): void {
    try {
      this.#resolve(this.#dial.serialization.decode(batch, 0))
    } catch (error) {
      this.#reject(error)
    }
    this.#channel.close({ ms: 0, always: false })
  }

  /** The peer has closed without a reply. */
  channelEnd(): void {
    this.#channel.destroy()
  }

  channelDrain(): void {}

  channelWritten(): void {}

  channelFault(error: FrameError, lost: boolean): void {
    error.connectionId ??= this.#channel.id
    this.#fault ??= error
    if (lost) return
    // Of the protocol, so that trying again gives the same.
    this.#giveUp(error)
  }

  channelClose(): void {
    this.#isClosed = true
    this.#onClosed?.()
    this.#reject(lostError(this.#channel.id, this.neverWritten, this.#fault))
  }
}
