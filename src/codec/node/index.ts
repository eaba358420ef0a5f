/** What the main entry exports of the codec: everything of `framewire/codec`, its two classes with Node's streams. */
export * from '../index.js'
export { FrameDecoder, FrameEncoder } from './streams.js'
