/** The decoder of the main entry: the codec's, with the addon's header scan where that is asked for. */
import type { FrameDecoderOptions } from '../codec/decoder.js'
import { FrameDecoder as JsDecoder } from '../codec/node/index.js'
import { chooseTransport } from './choose.js'

/**
 * Cuts a stream of bytes, in chunks of any size, into the payloads of its frames. Payloads are the receiver's own memory.
 * The object is a web transform pair as well, `stream.pipeThrough(new FrameDecoder())`, and `toTransform` gives a Node
 * `Transform`. After an error nothing more is decoded: every further call throws the same error.
 *
 * `backend: 'native'` scans headers in the addon, which pays for many small frames in large chunks only; 'auto' (the
 * default) is the JS scan. It throws `ERR_FRAME_BACKEND_UNAVAILABLE` when the addon cannot be loaded.
 */
export class FrameDecoder extends JsDecoder {
  constructor(options: FrameDecoderOptions = {}) {
    super(options, options?.backend === 'native' ? chooseTransport('native').createScanner?.() : undefined)
  }
}
