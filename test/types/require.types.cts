// Compiled by types.test.ts, never run: CommonJS programs find the types too.
import codec = require('framewire/codec')

export const payloads: Buffer[] = new codec.FrameDecoder({ format: 'varint' }).push(codec.encodeFrame('x'))

// @ts-expect-error no such preset
new codec.FrameDecoder({ format: 'uint31be' })
// @ts-expect-error a number is no payload
codec.encodeFrame(5)
