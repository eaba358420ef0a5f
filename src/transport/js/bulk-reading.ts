/**
 * Reading of a busy socket into memory of ours. By itself a socket of node:net gets fresh memory for every 64 KiB it reads,
 * which costs half as much again as the reading. `onread` is the way to spare it, but Node takes it only where a socket
 * is made, and a server's sockets are made by Node. Knows how a socket is switched over, not what is read.
 */
import { Socket, type SocketConstructorOpts } from 'node:net'

/** What a socket with `onread` has more than others. */
interface Fields {
  /** Where every read goes. */
  readonly buffer: symbol
  /** Called with the number of bytes of each read. */
  readonly callback: symbol
  /** Called behind that for where the next read goes. */
  readonly generator: symbol
}

type Reading = Socket & {
  [field: symbol]: unknown
  readonly _handle?: { useUserBuffer?(buffer: Uint8Array): void } | null
}

/** Finds them in a socket that was made with `onread`; undefined where this runtime has none, or others. */
function findFields(): Fields | undefined {
  const options = { onread: { buffer: new Uint8Array(1), callback: () => true } }
  const sample = new Socket(options as SocketConstructorOpts)
  const symbols = Object.getOwnPropertySymbols(sample)
  sample.destroy()
  const named = (name: string) => symbols.find((symbol) => symbol.description === name)
  const fields = { buffer: named('kBuffer'), callback: named('kBufferCb'), generator: named('kBufferGen') }
  return fields.buffer && fields.callback && fields.generator ? (fields as Fields) : undefined
}

export class BulkReading {
  #fields: Fields | undefined | null = null
  /** The socket that was last told to go on elsewhere. */
  #told: Reading | undefined
  #attached = 0
  /**
   * When a tick behind a read throws, Node drops what it was told, looks for the next bytes in the new memory, and reads them to
   * the old: which is somebody's payload by now. It is told once more, at once, in the only other way there is.
   */
  readonly #onThrow = () => {
    const told = this.#told
    this.#told = undefined
    if (told?._handle) told._handle.useUserBuffer?.(told[(this.#fields as Fields).buffer] as Uint8Array)
  }

  /**
   * From the next read on `socket` emits no 'data': `onRead` is called with the number of bytes that were read to `memory`, and
   * `next` for where the read behind it goes. When `onRead` returns false nothing more is read before `socket.resume()`; when it
   * throws, `next` is not called. Returns false where this runtime cannot; nothing was changed then.
   */
  attach(
    socket: Socket,
    memory: Uint8Array,
    onRead: (count: number) => boolean,
    next: () => Uint8Array,
  ): boolean {
    if (this.#fields === null) this.#fields = findFields()
    const fields = this.#fields
    const reading = socket as Reading
    const handle = reading._handle
    if (fields === undefined || typeof handle?.useUserBuffer !== 'function') return false
    reading[fields.buffer] = memory
    reading[fields.callback] = onRead
    reading[fields.generator] = () => {
      const before = reading[fields.buffer]
      const after = next()
      this.#told = after === before ? undefined : reading
      return after
    }
    handle.useUserBuffer(memory)
    if (this.#attached++ === 0) process.on('uncaughtExceptionMonitor', this.#onThrow)
    return true
  }

  /**
   * `socket`, which was attached, goes on in `memory`. Node keeps some bytes for every such move until the socket is closed: it is
   * for what happens seldom.
   */
  move(socket: Socket, memory: Uint8Array): void {
    const reading = socket as Reading
    reading[(this.#fields as Fields).buffer] = memory
    reading._handle?.useUserBuffer?.(memory)
  }

  /** A socket that was attached is closed. */
  detach(): void {
    if (--this.#attached > 0) return
    process.off('uncaughtExceptionMonitor', this.#onThrow)
    this.#told = undefined
  }
}
