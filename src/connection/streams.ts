/**
 * A connection as a Node Duplex and as a pair of WHATWG streams. Knows their backpressure on one side and the
 * connection's on the other, nothing of frames' bytes.
 */
import { Duplex } from 'node:stream'
import { ReadableStream, WritableStream } from 'node:stream/web'
import type { FrameBatch } from '../codec/batch.js'
import { FrameError, isOverrun } from '../errors.js'
import type { Channel } from '../transport/contract.js'
import type { Connection } from './connection.js'
import { isError } from './is-error.js'
import { WaitingFrames } from './waiting-frames.js'

/** Frames a Duplex has ready. */
const HIGH_WATER_MARK = 16

/** Bytes of them from which on no more are made ready. */
const READY_BYTES = 256 * 1024

/** What is ready is counted in steps of this, because telling is a call into the transport. */
const READY_STEP = 8 * 1024

export interface WebStreams<In, Out> {
  /**
   * A chunk is a frame; errors with what closed the connection, behind the frames in front of that. `cancel` destroys
   * the connection.
   */
  readonly readable: ReadableStream<In>
  /** A chunk is a frame; `close` ends this side once everything is written, `abort` destroys the connection. */
  readonly writable: WritableStream<Out>
}

type AnyConnection = Connection<unknown, unknown>

const closedError = (connection: AnyConnection) =>
  new FrameError('ERR_FRAME_CLOSED', { connectionId: connection.id, neverWritten: true })

/** Settles when the connection takes more: at 'drain', or with an error when it is closed before. */
class Room {
  readonly #connection: AnyConnection
  #waiting: ((error?: Error) => void) | undefined

  constructor(connection: AnyConnection) {
    this.#connection = connection
    connection.on('drain', () => this.#settle())
    connection.on('close', (error) => this.#settle(error ?? closedError(connection)))
  }

  /** Sends, and calls `done` when the next frame may follow. */
  send(payload: unknown, done: (error?: Error) => void): void {
    if (!this.#connection.writable) {
      done(closedError(this.#connection))
      return
    }
    try {
      this.#waiting = done
      if (this.#connection.send(payload)) this.#settle()
    } catch (error) {
      this.#settle(error as Error)
    }
  }

  #settle(error?: Error): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.(error)
  }
}

/**
 * A Duplex that bounds the bytes of what it has ready and of what it is given to write, because in object mode it counts chunks;
 * and that fails behind what it holds: `destroy` alone would throw frames away that came before the error.
 */
class FrameDuplex extends Duplex {
  #failure: Error | undefined
  /** Bytes of frames since it was empty. */
  #bytes = 0
  /** How many of them the budget of the channel knows of. */
  #told = 0
  #channel: Channel | undefined
  /** `write` has said false where Writable would not, who emits no 'drain' for that. */
  #owesDrain = false
  #whenEmpty: (() => void) | undefined

  /** What is ready counts against the budget of `channel`. */
  countOn(channel: Channel): this {
    this.#channel = channel
    return this
  }

  /** As `push`, of a frame of `size` bytes. */
  give(payload: unknown, size: number): boolean {
    this.#bytes = this.readableLength === 0 ? size : this.#bytes + size
    const goesOn = this.push(payload)
    this.#count(this.readableLength === 0 ? 0 : this.#bytes)
    return goesOn
  }

  /** Nobody will read what is ready. */
  forget(): void {
    this.#count(0)
  }

  /** False also behind one chunk for which the connection has no room: 16 of them may be of any size. */
  override write(chunk: unknown, ...rest: unknown[]): boolean {
    const goesOn = Reflect.apply(super.write, this, [chunk, ...rest]) as boolean
    this.#owesDrain = goesOn && this.writableLength > 0
    return goesOn && !this.#owesDrain
  }

  /** A chunk was written. */
  wrote(): void {
    if (!this.#owesDrain || this.writableLength > 0) return
    this.#owesDrain = false
    process.nextTick(() => {
      if (this.writable && this.writableLength === 0) this.emit('drain')
    })
  }

  #count(bytes: number): void {
    const more = bytes - this.#told
    if (more === 0 || (bytes > 0 && Math.abs(more) < READY_STEP)) return
    this.#told = bytes
    this.#channel?.keep(more)
  }

  /** Enough is ready; `then` is called when all of it was read. */
  isFull(then: () => void): boolean {
    if (this.#bytes < READY_BYTES || this.readableLength === 0) return false
    this.#whenEmpty = then
    return true
  }

  /** Destroys the stream with `error` once everything in front of it was read. */
  failAfterReading(error: Error): void {
    if (this.readableLength === 0) this.destroy(error)
    else this.#failure = error
  }

  override read(size?: number): unknown {
    const chunk = super.read(size)
    // In a tick of its own: the reader has the last frame first.
    if (this.readableLength === 0) this.#tellEmpty()
    return chunk
  }

  #tellEmpty(): void {
    this.#count(0)
    const failure = this.#failure
    if (failure !== undefined) process.nextTick(() => this.destroy(failure))
    const whenEmpty = this.#whenEmpty
    if (whenEmpty === undefined) return
    this.#whenEmpty = undefined
    process.nextTick(whenEmpty)
  }
}

/** How a connection ended, for a reader who is told behind the last frame. */
interface Ending {
  readonly error: Error | undefined
}

/** @internal */
export function toDuplex(connection: AnyConnection): Duplex {
  const frames = new WaitingFrames(connection, () => fill())
  /** It has room. */
  let isWanted = false
  let isDropped = false
  let ending: Ending | undefined
  const give = (payload: unknown, size: number) => {
    if (payload === null || payload === undefined) throw uncarried(payload)
    isWanted = duplex.give(payload, size)
  }
  const hasRoom = () => isWanted && !duplex.isFull(fill)
  const tell = () => {
    if (ending === undefined || !frames.isEmpty) return
    if (ending.error !== undefined) duplex.failAfterReading(ending.error)
    else duplex.push(null)
  }
  const fill = () => {
    try {
      while (hasRoom() && frames.mayTake()) {
        const size = frames.nextSize
        give(frames.take(), size)
      }
    } catch (error) {
      frames.clear()
      ending = { error: error as Error }
      connection.fail(error as FrameError)
    }
    tell()
  }
  const drop = () => {
    isDropped = true
    frames.clear()
  }
  // First of all: a connection that has a consumer is left as it is.
  connection.consume({
    onBatch(batch: FrameBatch) {
      let i = 0
      // Behind those that wait for their turn.
      for (; i < batch.length && !isDropped && frames.isEmpty && hasRoom(); i++) {
        give(connection.decode(batch, i), batch.end(i) - batch.start(i))
      }
      if (!isDropped) frames.add(batch, i)
    },
    onEnd() {
      ending ??= { error: undefined }
      tell()
    },
    onDropped: drop,
    onClose(error) {
      if (error !== undefined) ending = { error }
      // What waited was dropped to free memory.
      if (error !== undefined && isOverrun(error as FrameError)) duplex.destroy(error)
      // After a clean end what waits is still to be read.
      else if (ending === undefined) duplex.destroy()
      else tell()
    },
  })
  const room = new Room(connection)
  const duplex = new FrameDuplex({
    objectMode: true,
    highWaterMark: HIGH_WATER_MARK,
    read: () => {
      isWanted = true
      fill()
    },
    write: (payload, _encoding, done) =>
      room.send(payload, (error) => {
        done(error)
        duplex.wrote()
      }),
    final: (done) => {
      connection.end()
      connection.written().then(() => done(), done)
    },
    destroy: (error, done) => {
      drop()
      duplex.forget()
      if (connection.closed) return done(error)
      connection.once('close', () => done(error))
      if (error === null && duplex.writableFinished) connection.closeQueued()
      else connection.destroy(asError(error ?? undefined, connection.id))
    },
  }).countOn(connection.channel)
  // As `allowHalfOpen: false` would, but for those who are not done yet.
  duplex.once('end', () => {
    if (!isWrittenTo(duplex) && connection.listenerCount('end') === 0) duplex.end()
  })
  return duplex
}

/** Another stream is piped into it, and will end it. */
function isWrittenTo(duplex: Duplex): boolean {
  return duplex.listenerCount('unpipe') > 0
}

/** To a Duplex null is the end, and undefined no chunk: a peer must not end a stream by way of a value. */
function uncarried(value: null | undefined): FrameError {
  return new FrameError('ERR_FRAME_SERIALIZATION', { message: `A Duplex cannot carry ${value}` })
}

/** @internal */
export function toWeb<In, Out>(connection: Connection<In, Out>): WebStreams<In, Out> {
  const frames = new WaitingFrames<In>(connection as Connection<In, unknown>, () => fill())
  let output!: ReadableStreamDefaultController<In>
  /** A reader waits, and nothing is queued. */
  let isWanted = false
  let isDropped = false
  let isTold = false
  let ending: Ending | undefined
  const give = (payload: In) => {
    isWanted = false
    output.enqueue(payload)
  }
  const tell = () => {
    if (ending === undefined || isTold || !frames.isEmpty) return
    isTold = true
    if (ending.error !== undefined) output.error(ending.error)
    else output.close()
    // Whoever has the other side goes on writing, or is about to take it.
    setImmediate(() => {
      if (!writable.locked) connection.endUnattended()
    })
  }
  const fill = () => {
    try {
      if (isWanted && frames.mayTake()) give(frames.take())
    } catch (error) {
      frames.clear()
      ending = { error: error as Error }
      connection.fail(error as FrameError)
    }
    if (isWanted) tell()
  }
  connection.consume({
    onBatch(batch) {
      let i = 0
      // Behind those that wait for their turn.
      if (frames.isEmpty)
        for (; i < batch.length && isWanted && !isDropped; i++) give(connection.decode(batch, i))
      if (!isDropped) frames.add(batch, i)
    },
    onEnd() {
      ending ??= { error: undefined }
      if (isWanted) tell()
    },
    onDropped() {
      isDropped = true
      frames.clear()
    },
    onClose(error) {
      if (error !== undefined || ending === undefined) ending = { error }
      // Nobody can be kept waiting for frames any more, also who only waits for the end.
      tell()
    },
  })
  const room = new Room(connection as AnyConnection)
  // Its own mark is 0, so that it asks only when somebody waits: then everything in front of the end was read.
  const readable = new ReadableStream<In>(
    {
      start: (controller) => {
        output = controller as ReadableStreamDefaultController<In>
      },
      pull: () => {
        isWanted = true
        fill()
      },
      cancel: () => {
        isTold = true
        connection.destroy()
      },
    },
    { highWaterMark: 0 },
  )
  const writable = new WritableStream<Out>({
    start: (controller: WritableStreamDefaultController & { readonly signal?: AbortSignal }) => {
      const { signal } = controller
      // At once: `abort` is not called before the write that waits has settled.
      signal?.addEventListener('abort', () => connection.destroy(asError(signal.reason, connection.id)))
    },
    write: (payload) =>
      new Promise((resolve, reject) =>
        room.send(payload, (error) => (error === undefined ? resolve() : reject(error))),
      ),
    close: () => {
      connection.end()
      return connection.written()
    },
    abort: (reason) => void connection.destroy(asError(reason, connection.id)),
  })
  return { readable, writable }
}

/** What a connection is destroyed with; only an abort without a reason is no error. */
function asError(reason: unknown, connectionId: number): Error | undefined {
  if (reason === undefined || isError(reason)) return reason
  return new FrameError('ERR_FRAME_CLOSED', { cause: reason, connectionId })
}
