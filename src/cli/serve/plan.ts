/** What one serving process has to do, as plain data that crosses to a worker. Types only. */
import type { ServerOptions, ServerStats } from '../../server/index.js'

/** The options that flags can set: all of them survive a message between processes. */
export type FlagOptions = Pick<
  ServerOptions,
  | 'backend'
  | 'bodyTimeout'
  | 'exchange'
  | 'firstByteTimeout'
  | 'format'
  | 'headerTimeout'
  | 'highWaterMark'
  | 'idleTimeout'
  | 'keepAlive'
  | 'maxConnections'
  | 'maxFrameLength'
  | 'maxPendingRequests'
  | 'memoryBudget'
  | 'noDelay'
  | 'writeTimeout'
> & { readonly serialization?: 'buffer' | 'text' | 'json' }

export interface ServePlan {
  /** File of the handler module. */
  readonly handler: string
  readonly options: FlagOptions
  readonly backlog: number | undefined
  /** How long draining may take, ms. */
  readonly drainTimeout: number
}

/** Counters of one serving process. */
export interface ProcessStats extends ServerStats {
  readonly pid: number
  /** Since it began to serve, s. */
  readonly uptime: number
  /** Resident memory, bytes. */
  readonly rss: number
}

/** From the supervisor to a worker. */
export type ToWorker =
  | { readonly kind: 'start'; readonly plan: ServePlan; readonly fd: number }
  | { readonly kind: 'drain' }
  | { readonly kind: 'stats'; readonly id: number }

/** From a worker to its supervisor. */
export type FromWorker =
  | { readonly kind: 'ready'; readonly backend: string }
  | {
      readonly kind: 'failed'
      readonly message: string
      readonly code: string | undefined
      readonly usage: boolean
    }
  | { readonly kind: 'problem'; readonly message: string }
  | { readonly kind: 'stats'; readonly id: number; readonly stats: ProcessStats }
