/** The entry `framewire`. Exports only. */

export type {
  ClientEvents,
  ClientOptions,
  ClientStats,
  ConnectOptions,
  ReconnectOptions,
  RequestOptions,
} from './client/index.js'
export { Client, connect, createClient, request } from './client/index.js'
export {
  type Bytes,
  DEFAULT_MAX_FRAME_LENGTH,
  encodeFrame,
  FORMAT_PRESETS,
  type FormatPreset,
  FrameBatch,
  type FrameDecoderOptions,
  FrameEncoder,
  type FrameEncoderOptions,
  type FrameFormat,
  MAX_FRAME_LENGTH,
  type Payload,
} from './codec/node/index.js'
export type { CustomSerialization, Serialization } from './codec/serialization.js'
export {
  Connection,
  type ConnectionEvents,
  type ConnectionStats,
  type WebStreams,
  type WrapOptions,
  wrap,
} from './connection/index.js'
export { type ArgumentErrorCode, type CodedTypeError, type ErrorCode, FrameError } from './errors.js'
export type { ChannelOptions } from './options.js'
export type {
  DropInfo,
  ErrorReply,
  ListenOptions,
  RequestHandler,
  ServerEvents,
  ServerOptions,
  ServerStats,
  SocketOwner,
  SocketPathOptions,
} from './server/index.js'
export { createServer, RequestContext, Server } from './server/index.js'
export { type BackendInfo, type BackendName, backendInfo } from './transport/choose.js'
export type { Address, PeerCredentials } from './transport/contract.js'
export { FrameDecoder } from './transport/decoder.js'
