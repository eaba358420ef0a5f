/** The decoder of the main entry: the codec's, with the addon's header scan where that is asked for. */
import type { FrameDecoderOptions } from '../codec/decoder.js'
import { FrameDecoder as JsDecoder } from '../codec/node/index.js'
import { chooseTransport } from './choose.js'

/**
 * {@inheritDoc JsDecoder}
 *
 * `backend: 'native'` scans headers in the addon, which pays for many small frames in large chunks only; 'auto' (the
 * default) is the JS scan. It throws `ERR_FRAME_BACKEND_UNAVAILABLE` when the addon cannot be loaded.
 */
export class FrameDecoder extends JsDecoder {
  constructor(options: FrameDecoderOptions = {}) {
    super(options, options?.backend === 'native' ? chooseTransport('native').createScanner?.() : undefined)
  }
}
