/**
 * The line between a transport and what stands on it. A transport (native or js) moves whole frames and counts
 * bytes; it knows nothing of consumer modes, requests or replies. Both transports keep every sentence here.
 */
import type { FrameBatch } from '../codec/batch.js'
import type { Payload } from '../codec/bytes.js'
import type { Scanner } from '../codec/scan.js'
import type { FrameError } from '../errors.js'
import type { CompiledFormat } from '../format.js'
import type { TurnShare } from './turn-share.js'

/** Payloads up to this size are copied before `send` returns; a larger one may be borrowed until it is written. */
export const COPY_BYTES = 16 * 1024

/** Who is at the other end of a unix socket, as the kernel saw it when the connection was made. */
export interface PeerCredentials {
  /** Process id; -1 where the platform does not tell. */
  readonly pid: number
  readonly uid: number
  readonly gid: number
}

/**
 * Limits and deadlines of a channel. Times are whole milliseconds, 0 = off, all absolute: bytes that drip in do not
 * extend them. Values are validated before they get here.
 */
export interface ChannelConfig {
  readonly format: CompiledFormat
  /** Bytes of payload, both directions. Infinity is passed on as the largest payload a Buffer carries. */
  readonly maxFrameLength: number
  /** Queued bytes from which `send` returns false. */
  readonly highWaterMark: number
  /** Accept (or connect) to the first byte. */
  readonly firstByteTimeout: number
  /** First byte of a header to its last; from accept on for the first frame when `headerFromAccept`. */
  readonly headerTimeout: number
  readonly headerFromAccept: boolean
  /** End of the header to the last byte of the frame. */
  readonly bodyTimeout: number
  /** On a frame boundary, nothing to read and nothing queued, since the last byte in either direction. */
  readonly idleTimeout: number
  /** Since the oldest byte that is still queued was queued. */
  readonly writeTimeout: number
  readonly noDelay: boolean
  readonly keepAlive: boolean
}

/** Bytes held in partial and queued frames, and kept by owners, over all channels of a server or client. */
export interface BudgetConfig {
  readonly memoryBudget: number
}

/**
 * What a channel tells its owner, always from the event loop, never from inside a call into the channel.
 * After `channelFault` there is no further `channelBatch` or `channelEnd`; after `channelClose` there is nothing more.
 */
export interface ChannelEvents {
  /** Whole frames in order. `batch` is borrowed: its bytes and table are reused when the call returns. */
  channelBatch(batch: FrameBatch): void
  /** The peer ended its side on a frame boundary. Sending still works. */
  channelEnd(): void
  /** `queuedBytes` went back under the high-water mark after a `send` returned false. */
  channelDrain(): void
  /** `writtenBytes` has reached the mark given to `notifyWritten`. */
  channelWritten(): void
  /**
   * The channel cannot go on reading: a protocol error, a deadline, a limit (FrameError), or the connection was
   * lost (`lost` true, then `channelClose` follows by itself). While `lost` is false sending still works, what
   * arrives is discarded, and the owner decides how to close.
   */
  channelFault(error: FrameError, lost: boolean): void
  /** The descriptor is closed. */
  channelClose(): void
}

/** How to close: see `Channel.close`. */
export interface Linger {
  /** Milliseconds that unread input is read and thrown away so that the peer can still read what was sent; 0: not at all. */
  readonly ms: number
  /** Also when no input is unread now: the peer may send at any time, and must not lose what it was told for that. */
  readonly always: boolean
}

/** One framed stream connection. Calls never throw for a connection that is gone: they do nothing, `send` returns false. */
export interface Channel {
  /** Who is told. Set once by the owner, at the latest when the listener's `onChannel` returns. */
  events: ChannelEvents
  /** Unique within the process's transport, from 1. */
  readonly id: number
  /** Not closed, not ended, not destroyed: `send` has a meaning. */
  readonly writable: boolean
  /** Bytes of frames accepted by `send` so far, headers included. */
  readonly acceptedBytes: number
  /** Bytes of those the kernel has taken. Exact once `channelClose` was called: what is beyond was never written. */
  readonly writtenBytes: number
  /** A `send` returned false, and `channelDrain` has not followed yet. */
  readonly isFull: boolean
  /** `acceptedBytes - writtenBytes`. */
  readonly queuedBytes: number
  /** Whole frames and wire bytes received, frames sent, since the channel was opened. */
  readonly framesReceived: number
  readonly bytesReceived: number
  readonly framesSent: number

  /**
   * Frames and queues `payload` (strings as UTF-8), to be written at the end of this turn. Bytes of up to 16 KiB
   * are copied before it returns; larger ones may be borrowed until they are written, but for memory that somebody reads
   * to again before. Returns false when the queue is at or over the high-water mark (the frame is queued nevertheless;
   * `channelDrain` follows).
   * @throws {TypeError} `ERR_FRAME_PAYLOAD_TYPE`, {FrameError} `ERR_FRAME_TOO_LARGE`; nothing was queued then.
   */
  send(payload: Payload): boolean
  /** As `send`, for what the package itself says: held to what the length field can say, not to `maxFrameLength`. */
  sendOwn(text: string): boolean
  /** Forwards frame `i` of a borrowed batch, as `send(batch.view(i))` would, without a view; runs are one copy. */
  sendFrom(batch: FrameBatch, i: number): boolean
  /**
   * The owner keeps `bytes` more of what was delivered here (fewer when negative): counted against the memory budget, also
   * behind the channel's end, until the owner lets go of it or is collected. False: it is over the limit by that, and gets
   * the fault in a moment; a channel that is closed gets none.
   */
  keep(bytes: number): boolean
  /** Whoever takes frames that have waited asks it, so that nobody else waits for that. */
  readonly turnShare: TurnShare
  /** Calls `channelWritten` once `writtenBytes >= mark`. One mark at a time, a later call replaces it; 0 takes it back. */
  notifyWritten(mark: number): void
  /** Hands what is queued to the kernel now and not at the end of the turn. */
  flush(): void
  /** Stops reading. Frames already read in this turn may still be delivered: the owner keeps them. */
  pause(): void
  resume(): void
  /** Half-close: once the queue is written the peer reads end of input. Reading goes on. */
  end(): void
  /**
   * Close that lets what was sent arrive: write the queue, then close at once when no input is unread, else end
   * the sending side and read and throw away input until the peer closes or `linger` has passed. `channelClose` follows.
   */
  close(linger: Linger): void
  /** Closes now; queued bytes are dropped. `channelClose` follows, in a later turn. Safe from inside any event. */
  destroy(): void
  /** As at accept. null: not a unix socket, or this transport cannot tell. */
  readonly peer: PeerCredentials | null
  /** Peer address of a TCP connection. */
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  ref(): void
  unref(): void
}

export type Address =
  | { readonly path: string }
  | { readonly host: string; readonly port: number; readonly family: 'IPv4' | 'IPv6' }

/**
 * Where to listen. The unix path has passed the owner's checks (length, leftover, mode): see src/server/unix-path.ts.
 * `host` is an address, no name.
 */
export type ListenTarget =
  | { readonly kind: 'path'; readonly path: string; readonly backlog: number }
  | {
      readonly kind: 'port'
      readonly port: number
      readonly host: string | undefined
      readonly backlog: number
    }
  | { readonly kind: 'fd'; readonly fd: number; readonly backlog: number }

export interface ListenerConfig extends ChannelConfig, BudgetConfig {
  readonly maxConnections: number
  /** Credentials are wanted at accept, and nothing is read before `onChannel` has returned true. */
  readonly needPeer: boolean
  /** `onChannel` may wait for the connection's first event: nobody wants to know of a connection as such. */
  readonly lazy: boolean
  /** PEM material etc. for node:tls; only the js transport takes it. */
  readonly tls: object | undefined
}

export interface ListenerEvents {
  /**
   * A connection was accepted. Sets `channel.events` and returns true, or returns false to have it closed unread.
   * A transport may put the call off until the connection's first event.
   */
  onChannel(channel: Channel): boolean
  /** A connection was turned away: over `maxConnections`, or no descriptor was left (`EMFILE`). */
  onDrop(reason: 'limit' | 'descriptors', count: number): void
  /** Accepting failed for another reason; listening goes on. */
  onError(error: Error): void
}

export interface Listener {
  readonly address: Address
  /** Open connections that were accepted here. */
  readonly connectionCount: number
  /** Bytes counted against `memoryBudget` now. */
  readonly heldBytes: number
  /** Calls `onChannel` now for every open connection for which that was put off. */
  announceAll(): void
  /** Stops accepting. Connections live on. Resolves when the descriptor is closed. Removes no path. */
  close(): Promise<void>
  ref(): void
  unref(): void
}

export type ConnectTarget =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'port'; readonly port: number; readonly host: string | undefined }

export interface ConnectConfig extends ChannelConfig, BudgetConfig {
  readonly tls: object | undefined
}

export interface Transport {
  readonly name: 'native' | 'js'
  /** A header scan of its own, for decoders that ask for one. */
  createScanner?(): Scanner
  /**
   * A descriptor that listens at `path` and that nobody accepts from, for other processes to inherit; the caller closes it.
   * Absent where the transport leaves binding to the runtime. Throws the system's error.
   */
  holdPath?(path: string, backlog: number): number
  /** Another descriptor of the same socket, the caller's to close. */
  duplicate?(fd: number): number
  /** Rejects with the system's error (`code` `EADDRINUSE` and so on, `syscall`, `address`). */
  listen(target: ListenTarget, config: ListenerConfig, events: ListenerEvents): Promise<Listener>
  /** The channel does not deliver anything before its `events` are set, which the caller does synchronously on resolution. */
  connect(target: ConnectTarget, config: ConnectConfig, signal: AbortSignal | undefined): Promise<Channel>
}
