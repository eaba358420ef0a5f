// One event as the bytes of a WebSocket text frame. Encoded once however many browsers get it: frames that a server
// sends are not masked, so the same bytes are right for everybody (compression is off for the same reason).
import { Sender } from 'ws'

/** @param {{id?: number, type: string, data?: unknown}} event  @returns {Buffer} */
export function encodeEvent({ id, type, data }) {
  const text = Buffer.from(JSON.stringify({ id, type, data }))
  const parts = Sender.frame(text, { fin: true, rsv1: false, opcode: 1, mask: false, readOnly: true })
  return Buffer.concat(parts)
}
