/**
 * DuplexChannel: frames over any Node Duplex. It knows bytes in both directions, deadlines and limits; it does not know
 * how the stream came to be, consumer modes, or replies. Sockets are the case it is made for: see net-channel.ts.
 */
import type { Duplex } from 'node:stream'
import type { FrameBatch } from '../../codec/batch.js'
import { Reassembly } from '../../codec/reassembly.js'
import { type ErrorCode, FrameError } from '../../errors.js'
import type { BudgetConfig, Channel, ChannelConfig, ChannelEvents, Linger } from '../contract.js'
import type { Leftover } from '../leftovers.js'
import type { TurnShare } from '../turn-share.js'
import type { Budget } from './budget.js'
import { ChannelWriter } from './channel-writer.js'
import { Deadline } from './deadlines.js'
import type { Hub } from './hub.js'
import type { StreamKind } from './out-queue.js'
import { awaitsInput, ReadDeadline, type ReadDeadlineOwner } from './read-deadline.js'

/** Where a stream's handlers find their channel: one function serves all of them. */
const CHANNEL = Symbol('framewire.channel')
type Carried = Duplex & { [CHANNEL]: DuplexChannel }

/** A channel has `stream`, or had it. */
export function isCarried(stream: Duplex): boolean {
  return CHANNEL in stream
}

export class DuplexChannel extends ChannelWriter implements Channel, ReadDeadlineOwner {
  readonly id: number
  bytesReceived = 0
  protected readonly budget: Budget
  #events: ChannelEvents | undefined
  #input: Reassembly | undefined
  /** Bytes counted against the budget, and those of them that the owner keeps. */
  #charged = 0
  #kept = 0
  /** What the owner keeps, once the channel is closed. */
  #leftover: Leftover | undefined
  #paused = false
  #peerEnded = false
  /** Nothing more is delivered: a fault, `close` or `destroy`. */
  #deaf = false
  #faulted = false
  /** The peer was in the middle of a frame when we closed: more input is to be expected. */
  #isWriting = false
  #lost = false
  #ending = false
  #finSent = false
  #closing = false
  /** The queue was written and the rest of the close is under way. */
  #settling = false
  #lingerMs = 0
  #destroyed = false
  #closed = false
  #reading: ReadDeadline | undefined
  #lingering: Deadline | undefined

  constructor(stream: Duplex, hub: Hub, config: ChannelConfig & BudgetConfig, kind: StreamKind) {
    super(stream, hub, config, kind)
    this.id = hub.nextId()
    this.budget = hub.budgetOf(config)
    ;(stream as Carried)[CHANNEL] = this
    stream.on('error', onError)
    stream.on('close', onClose)
    if (stream.writableEnded || stream.destroyed) {
      this.writable = false
      this.#finSent = true
    }
  }

  /** Nothing is read before it is set. */
  get events(): ChannelEvents {
    if (this.#events === undefined) throw new TypeError('channel.events was not set')
    return this.#events
  }

  set events(events: ChannelEvents) {
    const isFirst = this.#events === undefined
    this.#events = events
    if (!isFirst || this.#destroyed) return
    if (awaitsInput(this.config)) this.#reading = new ReadDeadline(this.hub.deadlines, this.config, this)
    if (this.#paused) this.#reading?.suspend()
    this.stream.on('data', onData)
    this.stream.on('end', onEnd)
    if (this.#paused) this.stream.pause()
    // Whoever had it before may have paused it, and it is ours now.
    else if (this.stream.isPaused()) this.stream.resume()
    this.#catchUp()
  }

  /** A stream that was wrapped late tells nobody again what it has told. */
  #catchUp(): void {
    const { stream } = this
    if (stream.destroyed || (stream.readableEnded && stream.writableEnded)) {
      setImmediate(() => {
        this.lose(stream.errored ?? undefined)
        stream.destroy()
        this.onStreamClose()
      })
    } else if (stream.readableEnded) setImmediate(() => this.onPeerEnd())
  }

  protected get owner(): ChannelEvents | undefined {
    return this.#events
  }

  protected get isOver(): boolean {
    return this.#destroyed || this.#lost || this.#closed
  }

  /** Nothing more is delivered, and what arrives is thrown away. */
  protected get isDeaf(): boolean {
    return this.#deaf
  }

  /** Our owner wants nothing to be read. @internal */
  get isPaused(): boolean {
    return this.#paused
  }

  get turnShare(): TurnShare {
    return this.hub.turnShare
  }

  get framesReceived(): number {
    return this.#input?.frames ?? 0
  }

  get peer(): null {
    return null
  }

  get remoteAddress(): string | undefined {
    return undefined
  }

  get remotePort(): number | undefined {
    return undefined
  }

  ref(): void {}

  unref(): void {}

  // --- receiving -----------------------------------------------------------------------------------------------

  protected get input(): Reassembly | undefined {
    return this.#input
  }

  /** @internal */
  onChunk(chunk: Buffer): void {
    this.bytesReceived += chunk.length
    const now = this.hub.deadlines.now()
    this.activeAt = now
    if (this.#deaf) return
    const input = this.openInput()
    input.trusts = this.budget.hasPlenty(0)
    const error = input.push(chunk, this.#deliver)
    if (this.#deaf) return
    if (error !== null) {
      this.#fault(error)
      return
    }
    if (!this.#paused) this.#reading?.moved(input, now)
    if (input.reserved > 0 || this.#charged > 0) this.chargeInput()
  }

  /** Made when the first bytes come: most idle connections have none. */
  protected openInput(): Reassembly {
    this.#input ??= new Reassembly(this.config.format, this.config.maxFrameLength, {
      space: this.hub.scan,
      // What node:net and node:tls read is memory of its own; any other stream may use its chunks again.
      ownsChunks: this.kind !== 'duplex',
      scanner: undefined,
      discard: false,
    })
    return this.#input
  }

  /** Bytes that were read and wait to be taken. */
  protected get unreadBytes(): number {
    return 0
  }

  /** Reading goes on. */
  protected startReading(): void {
    this.stream.resume()
  }

  /** Nobody will take what waits. Returns whether something did. */
  protected dropUnread(): boolean {
    return false
  }

  readonly #deliver = (batch: FrameBatch): void => {
    if (!this.#deaf) this.events.channelBatch(batch)
  }

  /** @internal */
  onPeerEnd(): void {
    if (this.#peerEnded || this.#closed) return
    this.#peerEnded = true
    if (this.#closing && this.queuedBytes === 0) this.#finish()
    if (!this.#deaf) this.#tellEnd()
    // Sockets close by themselves once both sides have ended; not every Duplex does.
    if (this.kind === 'duplex' && this.stream.writableFinished) this.destroy()
  }

  #tellEnd(): void {
    const error = this.#input?.end() ?? null
    this.#reading?.stop()
    if (error !== null) this.#fault(error)
    else this.events.channelEnd()
  }

  /** @internal */
  onReadDeadline(code: ErrorCode, ms: number): void {
    if (!this.#deaf) this.#fault(new FrameError(code, { ...this.#input?.describe(false), limit: ms }))
  }

  pause(): void {
    if (this.#paused || this.#closing || this.#destroyed) return
    this.#paused = true
    this.#reading?.suspend()
    if (this.#events !== undefined) this.stream.pause()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    if (this.#events === undefined || this.#destroyed) return
    this.#reading?.resume(this.#input)
    this.startReading()
  }

  keep(bytes: number): boolean {
    if (this.#leftover !== undefined) {
      this.#leftover.keep(bytes)
      return true
    }
    this.#kept += bytes
    // Sends may settle while the stream closes: what is kept then is counted behind it, and nothing after that.
    if (this.#closed) return true
    // What was queued in this turn is counted only now, and may be what it is.
    return this.queuedBytes > this.#kept ? this.chargeQueue() : this.chargeInput()
  }

  /** Counts what is held against the budget. True: this channel brings it over the limit, and has to go. */
  #charge(): boolean {
    const held = this.#closed
      ? 0
      : this.queuedBytes + (this.#input?.reserved ?? 0) + this.unreadBytes + this.#kept
    const more = held - this.#charged
    if (more === 0) return false
    this.#charged = held
    this.budget.change(more)
    return more > 0 && this.budget.isExceeded
  }

  // Both act later, because this may be inside a call of the owner's. False: it is over the budget.

  protected chargeInput(): boolean {
    if (!this.#charge()) return true
    process.nextTick(() => {
      // A peer that leaves its answers unread would keep them until the write deadline, and memory is what is short.
      if (this.queuedBytes > 0) this.giveUp(this.#overBudget())
      else this.#fault(this.#overBudget())
    })
    return false
  }

  protected override chargeQueue(): boolean {
    if (!this.#charge()) return true
    process.nextTick(() => this.giveUp(this.#overBudget()))
    return false
  }

  #overBudget(): FrameError {
    return new FrameError('ERR_FRAME_MEMORY_BUDGET', { limit: this.budget.limit })
  }

  // --- the end of it -------------------------------------------------------------------------------------------

  /** Nothing more is delivered and what arrives is thrown away; sending goes on. */
  #fault(error: FrameError): void {
    if (this.#deaf) return
    this.#faulted = true
    this.#silence()
    this.#charge()
    this.events.channelFault(error, false)
  }

  /** The connection is gone, by no doing of ours. */
  protected override lose(cause: Error | undefined): void {
    // The memory of a queued payload is gone: nothing right can follow. The native transport says it so too.
    const isDetached = (cause as { code?: string } | undefined)?.code === 'ERR_FRAME_PAYLOAD_DETACHED'
    if (isDetached) this.#tellLost(() => new FrameError('ERR_FRAME_PAYLOAD_DETACHED'))
    else this.#tellLost(() => new FrameError('ERR_FRAME_CONNECTION_LOST', { cause }))
  }

  /**
   * Nobody is asked how to close, and whatever was told before: a peer that does not read would otherwise keep the
   * connection, and what is queued to it, for as long as it likes.
   */
  protected override giveUp(error: FrameError): void {
    this.#tellLost(() => error)
    this.destroy()
  }

  /** Told once, and not after another fault. */
  #tellLost(error: () => FrameError): void {
    if (this.#lost || this.#destroyed || this.#faulted) return
    this.#lost = true
    this.#silence()
    this.writable = false
    this.#events?.channelFault(error(), true)
  }

  #silence(): void {
    this.#deaf = true
    this.#reading?.stop()
    this.#input?.stop()
    const isStopped = this.dropUnread() || this.#paused
    if (!isStopped || this.#destroyed) return
    this.#paused = false
    this.startReading()
  }

  end(): void {
    if (!this.writable) return
    this.writable = false
    this.#ending = true
    this.flush()
    if (this.queuedBytes === 0) this.afterWrites()
  }

  close(linger: Linger): void {
    if (this.#closing || this.#destroyed) return
    this.writable = false
    this.#closing = true
    this.#lingerMs = linger.ms
    if (linger.always || (this.#input?.held ?? 0) > 0) this.#isWriting = true
    this.#silence()
    this.flush()
    if (this.queuedBytes === 0) this.afterWrites()
  }

  /** Everything that was sent is with the kernel. */
  protected override afterWrites(): void {
    if (this.#ending && !this.#closing) this.#finish()
    if (!this.#closing || this.#settling || this.#destroyed) return
    this.#settling = true
    if (this.#lingerMs === 0 && this.kind === 'socket') this.destroy()
    else if (this.#peerEnded || this.#isWriting || this.#faulted || this.#mayLoseTheEnd) this.#linger()
    else this.#whenQuiet()
  }

  /**
   * Passed on is not arrived: where the peer's kernel does not have all of it yet, one word more of the peer's would make ours drop
   * the rest. A unix socket has it at once; of others nobody tells us.
   */
  get #mayLoseTheEnd(): boolean {
    return this.kind !== 'socket' || (this.remoteAddress !== undefined && this.writtenBytes > 0)
  }

  #finish(): void {
    if (this.#finSent || this.#destroyed) return
    this.#finSent = true
    this.stream.end()
    if (this.kind === 'duplex') this.stream.once('finish', () => this.#peerEnded && this.destroy())
  }

  /** Ends our side; the peer gets until the linger is over to end its own. The stream closes when both have. */
  #linger(): void {
    this.#finish()
    const { deadlines } = this.hub
    this.#lingering = new Deadline(() => this.destroy())
    deadlines.set(this.#lingering, deadlines.now(), this.#lingerMs)
  }

  /** Nothing came during a whole turn of the loop: no input is unread, and closing resets nobody. */
  #whenQuiet(): void {
    const before = this.bytesReceived
    setImmediate(() =>
      setImmediate(() => {
        if (this.bytesReceived === before) this.destroy()
        else if (!this.#destroyed) this.#linger()
      }),
    )
  }

  destroy(): void {
    if (this.#destroyed) return
    this.#destroyed = true
    this.writable = false
    this.#silence()
    this.stopWriter()
    this.stream.destroy()
    // A stream made with `emitClose: false` says nothing.
    if (this.kind === 'duplex') setImmediate(() => this.onStreamClose())
  }

  /** @internal A stream in object mode has given what are no bytes. */
  onForeign(chunk: unknown): void {
    this.lose(new TypeError(`The stream must give bytes, and has given a ${typeof chunk}`))
    this.destroy()
  }

  /** @internal */
  onStreamError(error: Error): void {
    // A reset after the last answer was passed on is no news.
    if (!this.#closing || this.queuedBytes > 0) this.lose(error)
  }

  /** @internal */
  onStreamClose(): void {
    if (this.#closed) return
    this.#closed = true
    if (!(this.#peerEnded && this.#finSent)) this.lose(undefined)
    this.#destroyed = true
    this.writable = false
    this.#silence()
    if (this.#lingering !== undefined) this.hub.deadlines.clear(this.#lingering)
    this.closeWriter()
    this.#leave()
    this.#events?.channelClose()
  }

  /** Counts nothing any more: what the owner keeps is his, for as long as he has it. */
  #leave(): void {
    if (this.#kept > 0) {
      const budget = this.budget
      this.#leftover = this.hub.leftovers.of(this.events, this.#kept, (more) => budget.change(more))
    }
    this.#charge()
  }
}

function onData(this: Duplex, chunk: unknown): void {
  const channel = (this as Carried)[CHANNEL]
  if (chunk instanceof Uint8Array) channel.onChunk(chunk as Buffer)
  else channel.onForeign(chunk)
}

function onEnd(this: Duplex): void {
  ;(this as Carried)[CHANNEL].onPeerEnd()
}

function onError(this: Duplex, error: Error): void {
  ;(this as Carried)[CHANNEL].onStreamError(error)
}

function onClose(this: Duplex): void {
  ;(this as Carried)[CHANNEL].onStreamClose()
}
