/** The entry `framewire/codec`: frames without sockets and without the addon. Runs in a browser as it is. */
export { type ArgumentErrorCode, type CodedTypeError, type ErrorCode, FrameError } from '../errors.js'
export {
  type CompiledFormat,
  DEFAULT_MAX_FRAME_LENGTH,
  FORMAT_PRESETS,
  type FormatPreset,
  type FrameFormat,
  MAX_FRAME_LENGTH,
} from '../format.js'
export { FrameBatch } from './batch.js'
export type { Bytes, Payload } from './bytes.js'
export { FrameDecoder, type FrameDecoderOptions } from './decoder.js'
export { encodeFrame } from './encoder.js'
export { FrameEncoder, type FrameEncoderOptions } from './frame-encoder.js'
