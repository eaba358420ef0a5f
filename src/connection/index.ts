/** Public names of the connection layer. */
export { Connection } from './connection.js'
export type { WebStreams } from './streams.js'
export type { ConnectionEvents, ConnectionStats } from './types.js'
export { type WrapOptions, wrap } from './wrap.js'
