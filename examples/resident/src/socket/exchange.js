// Exchange: the framed socket the application talks to, one connection, one message each way. It knows framing and
// replies; what messages mean is the commands' business.
import { createServer } from 'framewire'
import { Refusal } from '../refusal.js'
import { parseMessage } from './message.js'

const MAX_MESSAGE = 1 << 20

/**
 * @param {(message: Record<string, unknown>) => Promise<object>} handle
 * @param {{explain: (error: Error) => Refusal | undefined, onError: (error: Error) => void}} faults what is our fault,
 *   not the peer's: explained, or else noted
 */
export function createExchange(handle, faults) {
  return createServer({
    exchange: 'once',
    maxFrameLength: MAX_MESSAGE,
    maxConnections: 1024,
    onRequest: async (payload) => JSON.stringify(await answer(payload, handle, faults)),
  })
}

async function answer(payload, handle, { explain, onError }) {
  try {
    return await handle(parseMessage(payload))
  } catch (error) {
    const refusal = error instanceof Refusal ? error : explain(error)
    if (refusal) return { res: 'fail', code: refusal.code, msg: refusal.message }
    onError(error)
    return { res: 'fail', code: 'INTERNAL', msg: 'the resident process could not do this, see its log' }
  }
}
