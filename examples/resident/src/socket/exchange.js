// Exchange: the framed socket the application talks to, one connection, one message each way. It knows framing and
// replies; what messages mean is the commands' business.
import { createServer } from 'framewire'
import { Refusal } from '../refusal.js'
import { parseMessage } from './message.js'

const MAX_MESSAGE = 1 << 20

/**
 * @param {(message: Record<string, unknown>) => Promise<object>} handle
 * @param {(error: Error) => void} onError of what is our fault, not the peer's
 */
export function createExchange(handle, onError) {
  return createServer({
    exchange: 'once',
    maxFrameLength: MAX_MESSAGE,
    maxConnections: 1024,
    onRequest: async (payload) => JSON.stringify(await answer(payload, handle, onError)),
  })
}

async function answer(payload, handle, onError) {
  try {
    return await handle(parseMessage(payload))
  } catch (error) {
    if (error instanceof Refusal) return { res: 'fail', code: error.code, msg: error.message }
    onError(error)
    return { res: 'fail', code: 'INTERNAL', msg: 'the resident process could not do this, see its log' }
  }
}
