/**
 * NetChannel: frames over a socket of node:net or node:tls. Knows what only sockets have: addresses, ref, reads that
 * go into memory of ours, and turns of the event loop that they share.
 */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { allocate } from '../../codec/own-buffer.js'
import { type ErrorCode, FrameError } from '../../errors.js'
import type { BudgetConfig, ChannelConfig } from '../contract.js'
import type { LargeReader } from './budget.js'
import { DuplexChannel } from './duplex-channel.js'
import type { Hub } from './hub.js'
import { LateBytes, type LateOwner } from './late-bytes.js'
import { ReadMemory } from './read-memory.js'

/** What node:net reads at most into memory of its own: a socket that brings as much is a busy one. */
const FULL_CHUNK = 64 * 1024
/** A chunk that took longer was a slow one, ms. */
const SLOW_MS = 2

/** What of a socket's handle says whether it is read from, and stops that. */
interface ReadHandle {
  reading?: boolean
  readStart?(): number
  readStop?(): number
}

export class NetChannel extends DuplexChannel implements LateOwner, LargeReader {
  declare readonly stream: Socket
  /** Where it reads to once it was found busy; null where that cannot be. */
  #memory: ReadMemory | null | undefined
  /** What was read in a turn that had no time for it. Nothing more is read before it is dealt with. */
  #late: LateBytes | undefined
  /** Much of what it reads takes long, as far as anybody knows: it is dealt with in slices. */
  #isSlow = true

  /** Not only the stream is stopped, the handle is too. */
  #isStopped = false
  isAdmitted = false
  admittedBefore: LargeReader | undefined = undefined
  admittedBehind: LargeReader | undefined = undefined

  constructor(socket: Socket, hub: Hub, config: ChannelConfig & BudgetConfig) {
    super(socket, hub, config, socket instanceof TLSSocket ? 'tls' : 'socket')
    if (!this.#mayReadMuch()) this.#readInBulk(false)
  }

  now(): number {
    return this.hub.deadlines.now()
  }

  // --- reading ---------------------------------------------------------------------------------------------------

  /** @internal */
  override onChunk(chunk: Buffer): void {
    if (this.#isLate(chunk.length)) this.#putOff(chunk)
    else this.#take(chunk)
    if (this.#hasLate) {
      this.stream.pause()
      this.#stopSoon()
    }
    if (chunk.length === FULL_CHUNK) this.#readInBulk(this.#mayReadMuch())
  }

  #mayReadMuch(): boolean {
    return this.kind !== 'socket' || this.budget.largeReads.admit(this)
  }

  /** @internal */
  readLittle(): void {
    if (this.#memory) this.hub.bulk.move(this.stream, this.#memory.reset(false))
    else this.#readInBulk(false)
  }

  #readInBulk(isMuch: boolean): void {
    const { hub, stream } = this
    if (this.#memory !== undefined || this.kind !== 'socket') return
    if (stream.destroyed || stream.readableLength > 0) return
    const memory = new ReadMemory(this.openInput(), hub.reads)
    memory.reset(isMuch)
    const onRead = (count: number) => {
      const chunk = memory.take(count)
      // Stopped by the chunk with which it was switched over: Node goes on, once, with what it reads for a stream.
      if (this.#hasLate || (!memory.isRoom && this.#isLate(count)))
        this.#putOff(memory.isBlock ? chunk : copyOf(chunk))
      else this.#takeSafely(chunk)
      return !this.#hasLate && !stream.isPaused()
    }
    const next = () => {
      const isMuch = this.#mayReadMuch()
      return this.#hasLate ? memory.reset(isMuch) : memory.advance(isMuch)
    }
    this.#memory = hub.bulk.attach(stream, memory.next, onRead, next) ? memory : null
  }

  #take(chunk: Buffer): void {
    const { readShare } = this.hub
    super.onChunk(chunk)
    const ms = this.now() - this.activeAt
    if (!readShare.isLittle(chunk.length)) this.#isSlow = ms >= SLOW_MS
    readShare.count(ms)
  }

  #takeSafely(chunk: Buffer): void {
    try {
      this.#take(chunk)
    } catch (error) {
      // Thrown on, it would keep Node from asking where to read next, and this memory would be read to again.
      this.lose(error as Error)
      this.destroy()
    }
  }

  /** It is not taken whole, now. Where there is no memory to wait in, it is; and what nobody takes costs no time. */
  #isLate(bytes: number): boolean {
    const { readShare } = this.hub
    const isQuick = !this.#isSlow || readShare.isLittle(bytes)
    return !(isQuick && readShare.hasTimeFor(bytes)) && !this.isDeaf && this.#mayHold(bytes)
  }

  /** So many bytes may wait, as far as memory goes. What those bring who read as they are told is bounded already. */
  #mayHold(bytes: number): boolean {
    const isTold = this.kind === 'socket' && this.#memory !== null
    return isTold ? this.budget.hasRoom(bytes) : this.budget.hasPlenty(bytes)
  }

  // --- what is late ----------------------------------------------------------------------------------------------

  get #hasLate(): boolean {
    return this.unreadBytes > 0
  }

  protected override get unreadBytes(): number {
    return this.#late?.length ?? 0
  }

  #putOff(bytes: Buffer): void {
    this.#late ??= new LateBytes(this, this.hub.readShare)
    this.hub.scan.seal?.(bytes.buffer)
    this.#late.add(bytes)
    if (this.hub.readShare.hasTimeFor(bytes.length)) this.#late.goOn(SLOW_MS)
    else this.#late.queue()
    this.chargeInput()
  }

  /** @internal */
  takeLate(bytes: Buffer): void {
    // Payloads are copied, so that nobody gets memory in which bytes wait.
    this.openInput().expect(false)
    try {
      super.onChunk(bytes)
    } catch (error) {
      this.lose(error as Error)
      this.destroy()
    }
    this.openInput().expect(true)
  }

  /** @internal */
  onCaughtUp(ms: number): void {
    this.#isSlow = ms >= SLOW_MS
    if (!this.stream.destroyed) this.startReading()
  }

  /** @internal */
  onDetached(): void {
    this.lose(new FrameError('ERR_FRAME_PAYLOAD_DETACHED'))
    this.destroy()
  }

  /** @internal What had come in time is not missing. */
  override onReadDeadline(code: ErrorCode, ms: number): void {
    const { framesReceived } = this
    const phase = this.input?.phase
    this.#late?.takeAll()
    if (this.framesReceived === framesReceived && this.input?.phase === phase) super.onReadDeadline(code, ms)
  }

  protected override dropUnread(): boolean {
    const had = this.#hasLate
    this.#late?.drop()
    return had
  }

  // --- stopping ----------------------------------------------------------------------------------------------------

  override pause(): void {
    const was = this.isPaused
    super.pause()
    if (!was && this.isPaused) this.#stopSoon()
  }

  /**
   * A stream that is paused reads on into memory of its own, 64 KiB of each socket, which no budget counts. It is stopped in the
   * tick behind the one in which it asks for that, if it was paused while it gave data.
   */
  #stopSoon(): void {
    process.nextTick(stopSoon, this)
  }

  /** @internal */
  stopReading(): void {
    const handle = this.#handle
    if (!(this.isPaused || this.#hasLate) || handle?.reading !== true || !handle.readStop) return
    this.#isStopped = true
    handle.reading = false
    handle.readStop()
  }

  protected override startReading(): void {
    if (this.#hasLate) {
      this.#late?.queue()
      return
    }
    super.startReading()
    const handle = this.#handle
    if (!this.#isStopped) return
    this.#isStopped = false
    // The stream believes that it reads already.
    if (handle?.reading !== false || !handle.readStart) return
    handle.reading = true
    if (handle.readStart() !== 0) this.stream.destroy()
  }

  get #handle(): ReadHandle | null | undefined {
    return (this.stream as { readonly _handle?: ReadHandle | null })._handle
  }

  // --- the socket ------------------------------------------------------------------------------------------------

  /** @internal */
  override onStreamClose(): void {
    this.budget.largeReads.leave(this)
    if (this.#memory) {
      this.#memory.release()
      this.#memory = null
      this.hub.bulk.detach()
    }
    super.onStreamClose()
  }

  override get remoteAddress(): string | undefined {
    return this.stream.remoteAddress
  }

  override get remotePort(): number | undefined {
    return this.stream.remotePort
  }

  override ref(): void {
    this.stream.ref()
  }

  override unref(): void {
    this.stream.unref()
  }
}

/** Never a piece of anything: it is sealed. */
function copyOf(bytes: Buffer): Buffer {
  const copy = allocate(bytes.length)
  copy.set(bytes)
  return copy
}

function stopSoon(channel: NetChannel): void {
  process.nextTick(stop, channel)
}

function stop(channel: NetChannel): void {
  channel.stopReading()
}
