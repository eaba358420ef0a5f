/**
 * Receiver: the half of a connection that brings what one channel tells to one consumer, in order. It knows consumer
 * modes, frames that have to wait, and that nothing follows an error; it does not know how frames are sent.
 */
import type { FrameBatch } from '../codec/batch.js'
import { FrameError, isOverrun } from '../errors.js'
import type { Channel } from '../transport/contract.js'
import { BareEmitter } from './bare-emitter.js'
import type { Connection } from './connection.js'
import { publish } from './diagnostics.js'
import { emitAbout, guard, rethrow, settleAbout } from './guard.js'
import { Held } from './held.js'
import { PendingSends } from './pending-sends.js'
import type { ConnectionEventName, ConnectionEvents, ConnectionInit, Consumer } from './types.js'

/** How long a connection that closes because of an error reads on so that the peer can read what was sent, ms. */
const ERROR_LINGER_MS = 1000

/** Bits of a connection's state; one field, because there is one in every idle connection. */
const PAUSED = 1
/** Nothing more is delivered: closing, destroyed, or after the first error. */
const DEAF = 2
const CLOSED = 4
const ENDED = 8
/** 'error' was emitted. */
const TOLD = 16
/** Not read from, because it does not read. */
const CHOKED = 32
/** It has a consumer, or frames were promised to one. */
const CLAIMED = 64
/** The consumer is the listeners of 'frame'. */
const EMITS = 128
/** `send` takes values, not payloads. */
const ENCODES = 256
/** The channel is closed. 'close' follows at once, or behind frames that a paused consumer is still to get. */
const GONE = 512
/** It took more memory than there is. The fault follows, and drops what waits; until then nothing is added to it. */
const OVERRUN = 1024

/**
 * Bytes queued to a peer from which on nothing more of it is read until they are written: a server that answers whatever
 * comes, and does not look at what `send` returns, is held up by such a peer instead of filled. Well over any
 * high-water mark, well under the memory budget.
 */
const CHOKE_BYTES = 64 * 1024 * 1024

/** The same for sends that somebody waits for: of small frames they take more memory than the bytes. */
const CHOKE_SENDS = 16 * 1024

/** Frames that are delivered one by one between two looks at that. */
const CHOKE_LOOK = 256

/** Payloads that are copied before the first of them is handed on. */
const COPY_RUN = 128

/** What most connections never need, so that it takes one field of them. */
class Rest {
  error: Error | undefined = undefined
  held: Held | undefined = undefined
  sends: PendingSends | undefined = undefined
}

type BatchCallback = (batch: FrameBatch) => unknown

/**
 * The base of `Connection`, and one object with it: there is one in every idle connection. Made ready for a channel by
 * being its `events`.
 */
export abstract class Receiver<In> extends BareEmitter {
  /** @internal */ readonly channel: Channel
  /** @internal */ protected readonly init: ConnectionInit
  #consumer: BatchCallback | Consumer | undefined
  /** PAUSED, DEAF and so on. */
  #state: number
  #rest: Rest | undefined
  /** What an async listener of the server's works on. Nobody asks how that goes before there is an end to hear of. */
  #work: Promise<unknown> | undefined

  /** @internal */
  protected constructor(channel: Channel, init: ConnectionInit) {
    super()
    this.channel = channel
    this.init = init
    const { kind } = init.serialization
    this.#state = kind === 'json' || kind === 'custom' ? ENCODES : 0
  }

  /** What closes the connection. @internal */
  protected get error(): Error | undefined {
    return this.#rest?.error
  }

  protected set error(error: Error | undefined) {
    if (error !== undefined) this.#more().error = error
  }

  get #held(): Held | undefined {
    return this.#rest?.held
  }

  set #held(held: Held | undefined) {
    if (held !== undefined) this.#more().held = held
    else if (this.#rest !== undefined) this.#rest.held = undefined
  }

  /** Sends somebody waits for. @internal */
  protected get sends(): PendingSends | undefined {
    return this.#rest?.sends
  }

  /** The same, made when the first comes. @internal */
  protected makeSends(): PendingSends {
    const rest = this.#more()
    rest.sends ??= new PendingSends()
    return rest.sends
  }

  #more(): Rest {
    this.#rest ??= new Rest()
    return this.#rest
  }

  /** The connection this is. @internal */
  protected abstract whole(): Connection<unknown, unknown>

  /** Settles what waits for its bytes to be written; no more will be. @internal */
  protected abstract settleSends(error: Error | undefined): void

  /** Unique within the process's backend, from 1. Errors name it as `connectionId`. */
  get id(): number {
    return this.channel.id
  }

  /** 'close' was emitted, or is about to be. */
  get closed(): boolean {
    return (this.#state & CLOSED) !== 0
  }

  /** The channel is closed, whether or not 'close' was emitted. @internal */
  protected get gone(): boolean {
    return (this.#state & GONE) !== 0
  }

  /** @internal `send` takes values, not payloads. */
  protected get encodes(): boolean {
    return (this.#state & ENCODES) !== 0
  }

  /** Stops delivery and reading. Frames that were already read wait for {@link resume}. */
  pause(): this {
    this.#state |= PAUSED
    this.channel.pause()
    return this
  }

  /** Goes on after {@link pause}. */
  resume(): this {
    if ((this.#state & PAUSED) === 0) return this
    this.#state &= ~PAUSED
    if (this.#held === undefined) this.#read()
    else this.#kick()
    return this
  }

  override on<E extends ConnectionEventName>(
    event: E,
    listener: (...args: ConnectionEvents<In>[E]) => void,
  ): this {
    this.expectListener()
    super.on(event, listener)
    if (event === 'frame') this.#onFrameListener()
    return this
  }

  override addListener<E extends ConnectionEventName>(
    event: E,
    listener: (...args: ConnectionEvents<In>[E]) => void,
  ): this {
    return this.on(event, listener)
  }

  override prependListener<E extends ConnectionEventName>(
    event: E,
    listener: (...args: ConnectionEvents<In>[E]) => void,
  ): this {
    this.expectListener()
    super.prependListener(event, listener)
    if (event === 'frame') this.#onFrameListener()
    return this
  }

  /**
   * Claims the connection for one way of consuming it.
   * @throws {FrameError} `ERR_FRAME_CONSUMER_MODE` @internal
   */
  consume(consumer: BatchCallback | Consumer): void {
    this.#claim()
    this.#consumer = consumer
    this.#kick()
  }

  /** What frame `i` carries, by the connection's serialization, in memory of its own. @internal */
  decode(batch: FrameBatch, i: number): In {
    return this.init.serialization.decode(batch, i) as In
  }

  /**
   * Ends delivery with an error that was found above the channel (serialization, a handler): as a protocol error
   * of the channel, it goes to the policy, 'error' and 'close'. @internal
   */
  fail(error: FrameError): void {
    if ((this.#state & DEAF) !== 0) return
    error.connectionId ??= this.id
    if ((this.#state & CLOSED) === 0) this.#fault(error, false)
    else {
      // A late consumer's: everybody else has heard the last of this connection.
      this.silence()
      guard(() => this.#ending?.onClose(error))
    }
  }

  /** `error` is what it ended with, or says that it takes nothing any more: 'close' and 'error' tell whoever listens. @internal */
  hasTold(error: unknown): boolean {
    if (!(error instanceof FrameError) || error.connectionId !== this.id) return false
    return (
      error === this.error || error.code === 'ERR_FRAME_CLOSED' || error.code === 'ERR_FRAME_CONNECTION_LOST'
    )
  }

  /** `result` came from who was given this connection, and may be the promise of all that is done with it. @internal */
  serving(result: unknown): void {
    if (this.#work !== undefined || (this.#state & (DEAF | ENDED | GONE)) !== 0) settleAbout(this, result)
    else if (result instanceof Promise) this.#work = result
  }

  /** From here on that may hear of an end. @internal */
  protected awaitWork(): void {
    const work = this.#work
    if (work === undefined) return
    this.#work = undefined
    settleAbout(this, work)
  }

  /** Ends this side unless somebody listens to 'end' and so does it himself. @internal */
  endUnattended(): void {
    if (this.listenerCount('end') === 0) this.channel.end()
  }

  // --- from the channel ----------------------------------------------------------------------------------------

  /** @internal */
  channelBatch(batch: FrameBatch): void {
    if ((this.#state & (DEAF | OVERRUN)) !== 0) return
    if (this.#held !== undefined || (this.#state & (PAUSED | CLAIMED)) !== CLAIMED) {
      this.#hold(batch, 0)
      return
    }
    const delivered = this.#deliver(batch, 0)
    if (delivered < batch.length && (this.#state & DEAF) === 0) this.#hold(batch, delivered)
    this.#chokeIfStuffed()
  }

  /** @internal */
  channelEnd(): void {
    this.awaitWork()
    if ((this.#state & DEAF) !== 0) return
    if (this.#held !== undefined) this.#held.ended = true
    else if ((this.#state & PAUSED) !== 0) this.#holdNothing().ended = true
    else this.#end()
  }

  /** @internal */
  channelFault(error: FrameError, lost: boolean): void {
    this.awaitWork()
    error.connectionId ??= this.id
    const held = this.#held
    if ((this.#state & DEAF) !== 0) {
      if (lost) this.error ??= error
    } else if (held === undefined || isOverrun(error)) this.#fault(error, lost)
    else {
      // Frames come first. A loss concerns everybody but their consumer at once.
      held.fault = error
      if (lost) this.#reportHeld(held, error, true)
    }
  }

  /** It has more queued than a peer that reads would let come. */
  get #isStuffed(): boolean {
    const { channel, sends } = this
    return (channel.queuedBytes >= CHOKE_BYTES && channel.isFull) || (sends?.length ?? 0) >= CHOKE_SENDS
  }

  #chokeIfStuffed(): void {
    if (!this.init.chokes || (this.#state & GONE) !== 0 || !this.#isStuffed) return
    this.#state |= CHOKED
    this.channel.pause()
  }

  /** The transport was told of more memory than there is. @internal */
  protected overran(): void {
    this.#state |= OVERRUN
  }

  #unchoke(): void {
    if ((this.#state & CHOKED) === 0) return
    this.#state &= ~CHOKED
    if (this.#held !== undefined) this.#kick()
    else if ((this.#state & (PAUSED | DEAF)) === 0) this.channel.resume()
  }

  #read(): void {
    if ((this.#state & CHOKED) === 0) this.channel.resume()
  }

  /** @internal */
  channelDrain(): void {
    this.#unchoke()
    emitAbout(this, 'drain')
  }

  /** @internal */
  channelWritten(): void {
    const { channel, sends } = this
    sends?.onWritten(channel)
    if (!channel.isFull && (sends?.length ?? 0) < CHOKE_SENDS / 2) this.#unchoke()
  }

  /** @internal */
  channelClose(): void {
    this.awaitWork()
    this.#state = (this.#state | GONE) & ~CHOKED
    const held = this.#held
    if (held?.fault !== undefined) this.#reportHeld(held, held.fault, false)
    const error = this.error ?? held?.fault
    this.settleSends(error)
    guard(() => this.init.policy?.onClosed(this.whole(), error))
    this.#deliverHeld()
    if (this.#held === undefined) this.#close()
  }

  // --- delivery ------------------------------------------------------------------------------------------------

  /** Delivers frames from `from` on; returns the first that was not delivered. */
  #deliver(batch: FrameBatch, from: number): number {
    if ((this.#state & OVERRUN) !== 0) return batch.length
    if ((this.#state & EMITS) !== 0) return this.#emitFrames(batch, from)
    const consumer = this.#consumer
    try {
      if (typeof consumer === 'function') settleAbout(this, consumer(batch))
      else consumer?.onBatch(batch)
    } catch (error) {
      if (typeof consumer === 'object' && error instanceof FrameError) this.fail(error)
      else rethrow(error)
    }
    return batch.length
  }

  #emitFrames(batch: FrameBatch, from: number): number {
    // Neighbours are copied together, which is cheaper than one by one.
    const isBuffer = this.init.serialization.kind === 'buffer'
    let copies: Buffer[] = []
    let first = from
    const { length } = batch
    for (let i = from; i < length; i++) {
      if ((this.#state & (PAUSED | DEAF | CHOKED | OVERRUN)) !== 0) {
        return (this.#state & OVERRUN) === 0 ? i : length
      }
      if ((i - from) % CHOKE_LOOK === CHOKE_LOOK - 1) this.#chokeIfStuffed()
      let payload: unknown
      if (isBuffer) {
        // What was copied ahead may have gone away with a neighbour that the consumer has transferred.
        const isThere =
          i < first + copies.length && (copies[i - first].length > 0 || batch.end(i) === batch.start(i))
        if (!isThere) {
          if (batch.isDetached) {
            this.fail(new FrameError('ERR_FRAME_PAYLOAD_DETACHED'))
            return length
          }
          first = i
          copies = batch.copyRun(i, Math.min(i + COPY_RUN, length))
        }
        payload = copies[i - first]
      } else {
        try {
          payload = this.decode(batch, i)
        } catch (error) {
          this.fail(error as FrameError)
          return length
        }
      }
      try {
        const listener = this.onlyListener('frame')
        if (listener !== undefined) settleAbout(this, listener.call(this, payload))
        else if (!emitAbout(this, 'frame', payload)) return i
      } catch (error) {
        rethrow(error)
      }
    }
    return length
  }

  #hold(batch: FrameBatch, from: number): void {
    this.#holdNothing().batches.add(batch, from)
  }

  #holdNothing(): Held {
    if (this.#held === undefined) {
      this.#held = new Held(this.channel)
      this.channel.pause()
    }
    return this.#held
  }

  /** Delivers what is held in a tick of its own: a consumer that was just chosen or resumed gets to finish its line. */
  #kick(): void {
    if (this.#held !== undefined) process.nextTick(() => this.#deliverHeld())
    else if ((this.#state & (ENDED | CLOSED)) !== 0) process.nextTick(() => this.#tellLate())
  }

  /** A consumer was chosen when everything was over. */
  #tellLate(): void {
    if ((this.#state & ENDED) !== 0) this.#ending?.onEnd()
    if ((this.#state & CLOSED) !== 0) this.#ending?.onClose(this.error)
  }

  #deliverHeld(): void {
    const held = this.#held
    if (held === undefined) return
    while (held.batches.length > 0) {
      if (this.#isStopped) {
        if ((this.#state & (DEAF | GONE | CLOSED)) === GONE) this.#awaitConsumer(held)
        return
      }
      held.from = this.#deliver(held.batches.first, held.from)
      // A consumer that ended it all has emptied the queue.
      if (held.batches.length === 0 || held.from < held.batches.first.length) continue
      held.batches.shift()
      held.from = 0
    }
    if ((this.#state & DEAF) !== 0) return
    if ((this.#state & (PAUSED | GONE)) === PAUSED) return
    this.#held = undefined
    this.#tellHeld(held)
  }

  /** Every frame was delivered: what happened behind them. */
  #tellHeld(held: Held): void {
    if ((this.#state & CLOSED) !== 0) {
      if (held.ended) this.#state |= ENDED
      this.#tellLate()
      return
    }
    if (held.ended) this.#end()
    if (held.fault !== undefined && (this.#state & DEAF) === 0) this.#fault(held.fault, false, held.reported)
    if ((this.#state & GONE) !== 0) this.#close()
    else if ((this.#state & (PAUSED | DEAF)) === 0) this.#read()
  }

  /** Nothing is delivered now. A consumer that is pulled from has room for what was read before the channel closed. */
  get #isStopped(): boolean {
    if ((this.#state & (DEAF | CHOKED)) !== 0 || !this.#isConsumed) return true
    return (this.#state & PAUSED) !== 0 && !((this.#state & GONE) !== 0 && this.#ending !== undefined)
  }

  get #isConsumed(): boolean {
    return (this.#state & EMITS) === 0 ? this.#consumer !== undefined : this.listenerCount('frame') > 0
  }

  /** The connection is gone, and frames wait. */
  #awaitConsumer(held: Held): void {
    if ((this.#state & PAUSED) !== 0 && this.#isConsumed) {
      process.nextTick(() => this.#tellWriters())
      return
    }
    // Nobody is there to wait for. What was read is kept for who comes later.
    this.error ??= held.fault
    this.#close()
  }

  /** Who has paused until 'drain' would wait for ever, and for 'close' as well: nothing is queued any more. */
  #tellWriters(): void {
    if (this.#held !== undefined && (this.#state & (PAUSED | CLOSED)) === PAUSED) emitAbout(this, 'drain')
  }

  /** The consumer, where it wants to know how it ends. */
  get #ending(): Consumer | undefined {
    return typeof this.#consumer === 'object' ? this.#consumer : undefined
  }

  #claim(): void {
    if ((this.#state & CLAIMED) !== 0) {
      throw new FrameError('ERR_FRAME_CONSUMER_MODE', { connectionId: this.id })
    }
    this.#state |= CLAIMED
  }

  #onFrameListener(): void {
    if ((this.#state & EMITS) === 0) {
      this.#claim()
      this.#state |= EMITS
    }
    this.#kick()
  }

  // --- the end of it -------------------------------------------------------------------------------------------

  #end(): void {
    this.#state |= ENDED
    if (this.init.policy?.onEnd(this.whole())) {
      // The policy goes on from here.
    } else if (this.#ending !== undefined) this.#ending.onEnd()
    else this.endUnattended()
    emitAbout(this, 'end')
  }

  /** `reported`: the policy has heard of it and has nothing to close. */
  #fault(error: FrameError, lost: boolean, reported = false): void {
    this.error ??= error
    // What waits is what there is no memory for, or a peer's who does not read: whoever has it gives it back.
    if (isOverrun(error)) this.drop()
    else this.silence()
    const handled = reported || this.#report(error, lost)
    this.#tell(error)
    if ((this.#state & GONE) !== 0) this.#close()
    else if (!handled)
      this.channel.close({ ms: this.channel.framesSent > 0 ? ERROR_LINGER_MS : 0, always: false })
  }

  /** Returns whether somebody else closes the channel. */
  #report(error: FrameError, lost: boolean): boolean {
    publish('framewire:error', () => ({ connection: this, error }))
    let handled = lost
    guard(() => {
      handled = this.init.policy?.onFault(this.whole(), error, lost) === true || lost
    })
    return handled
  }

  #reportHeld(held: Held, error: FrameError, lost: boolean): void {
    if (held.reported) return
    held.reported = true
    this.#report(error, lost)
  }

  /** Nothing is delivered any more, whoever has it: neither what is held here nor what waits with the consumer. @internal */
  protected drop(): void {
    this.silence()
    this.#ending?.onDropped()
  }

  /** From here on nothing is delivered; what was held is dropped. @internal */
  protected silence(): void {
    this.awaitWork()
    this.#state |= DEAF
    // A loss that nobody but the policy knows of yet is still what closes the connection.
    const held = this.#held
    if (held?.reported) this.error ??= held.fault
    held?.batches.clear()
    this.#held = undefined
    if ((this.#state & (GONE | CLOSED)) === GONE) process.nextTick(() => this.#close())
  }

  #close(): void {
    if ((this.#state & CLOSED) !== 0) return
    this.#state |= CLOSED
    if (this.#held === undefined) this.#state |= DEAF
    const { error } = this
    guard(() => this.init.policy?.onOver(this.whole()))
    guard(() => this.#ending?.onClose(error))
    if (error !== undefined) this.#tell(error)
    if (error === undefined) emitAbout(this, 'close')
    else emitAbout(this, 'close', error)
  }

  #tell(error: Error): void {
    if ((this.#state & TOLD) !== 0) return
    this.#state |= TOLD
    if (this.listenerCount('error') > 0) emitAbout(this, 'error', error)
  }
}
