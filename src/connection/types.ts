/**
 * The shapes a Connection is described with: events, statistics, and the seam through which a server or a client
 * decides for it. Types only.
 */
import type { FrameBatch } from '../codec/batch.js'
import type { CompiledSerialization } from '../codec/serialization.js'
import type { FrameError } from '../errors.js'
import type { Connection } from './connection.js'

/** Events of a connection and what their listeners are called with. */
export interface ConnectionEvents<In> {
  /** A whole frame, decoded by the connection's serialization. With 'buffer' the Buffer is the receiver's own. */
  frame: [payload: In]
  /**
   * The queue is under the high-water mark again after `send` returned false. Also when the connection is lost while
   * frames wait behind `pause()`: nothing is queued any more, and 'close' comes once they were delivered.
   */
  drain: []
  /** The peer ended its side, and every frame before that was delivered. Who listens closes the connection. */
  end: []
  /** What closes the connection. Emitted only when somebody listens; 'close' carries the same error. */
  error: [error: Error]
  /** The last event, always emitted, once. */
  close: [error?: Error]
}

export type ConnectionEventName = keyof ConnectionEvents<unknown>

/** Counters of a connection since it was opened; bytes are bytes on the wire, headers included. */
export interface ConnectionStats {
  readonly framesReceived: number
  readonly bytesReceived: number
  readonly framesSent: number
  /** Bytes `send` has accepted. */
  readonly bytesAccepted: number
  /** Bytes of those the kernel has taken. */
  readonly bytesWritten: number
  /** Bytes that wait: `bytesAccepted - bytesWritten`. */
  readonly bytesQueued: number
}

/**
 * What a server or client decides for its connections. Called before the connection's own events.
 * @internal
 */
export interface ConnectionPolicy {
  /**
   * Nothing more will be delivered, but for frames that a paused consumer is still to get. `lost`: the connection is
   * gone, `onClosed` follows by itself. Otherwise sending still works; true says that the policy closes the connection.
   */
  onFault(connection: Connection<unknown, unknown>, error: FrameError, lost: boolean): boolean
  /** The peer ended its side and every frame was delivered. true: the policy ends or closes; false: the default. */
  onEnd(connection: Connection<unknown, unknown>): boolean
  /** The descriptor is closed. Called at once, even when delivered frames still wait for a paused consumer. */
  onClosed(connection: Connection<unknown, unknown>, error: Error | undefined): void
  /** 'close' is about to be emitted. */
  onOver(connection: Connection<unknown, unknown>): void
}

/** What connections of one server or client share. @internal */
export interface ConnectionInit {
  readonly serialization: CompiledSerialization
  readonly policy: ConnectionPolicy | undefined
  /** A peer that does not read is not read from. On one end only, or two that both wait for each other would never end. */
  readonly chokes: boolean
}

/** One consumer of frames inside the package: all modes but 'frame' and `onBatch`. @internal */
export interface Consumer {
  onBatch(batch: FrameBatch): void
  onEnd(): void
  /** We close the connection: of what was handed over, nothing that still waits is wanted. */
  onDropped(): void
  onClose(error: Error | undefined): void
}
