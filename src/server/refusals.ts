/**
 * What a short-lived client is told when its one exchange cannot be had. Knows the texts of the exchange, which other
 * programs compare byte by byte: JSON with its keys in this order, no spaces, non-ASCII characters as they are.
 */
import { ERRORS, type FrameError } from '../errors.js'

/** The whole frame arrived, and nobody has anything else to say. */
export const ACCEPTED = '{"res":"ok","msg":"长度相同"}'

/** The header did not arrive whole. */
export const HEADER_MISSING = '{"res":"fail","msg":"长度有误"}'

/** The body is shorter than its header says. */
const BODY_SHORT = '{"res":"fail","msg":"长度不相等"}'

export function refusal(error: FrameError): string {
  switch (error.code) {
    case 'ERR_FRAME_FIRST_BYTE_TIMEOUT':
    case 'ERR_FRAME_HEADER_TIMEOUT':
      return HEADER_MISSING
    case 'ERR_FRAME_BODY_TIMEOUT':
      return BODY_SHORT
    case 'ERR_FRAME_TRUNCATED':
      // Without a whole header nothing was declared.
      return error.declared === undefined ? HEADER_MISSING : BODY_SHORT
    default:
      return withCode(error.message, error)
  }
}

/** The same for a length field that cannot say as much: without figures and hints. */
export function briefRefusal(error: FrameError): string {
  return withCode(ERRORS[error.code].message, error)
}

function withCode(msg: string, { code }: FrameError): string {
  return JSON.stringify({ res: 'fail', msg, code })
}
