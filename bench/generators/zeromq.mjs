// A ZeroMQ PAIR socket as generator for the zeromq party. A send settles when the message is queued, so one at a
// time is what the binding allows; an empty message ends the conversation.
import { Pair } from 'zeromq'
import { generate } from './engine.mjs'

async function open(target) {
  const socket = new Pair({ linger: 0 })
  socket.connect(target.path ? `ipc://${target.path}` : `tcp://${target.host}:${target.port}`)
  let onMessage = () => {}
  let onDrain = null
  const queue = []
  let sending = false
  const read = async () => {
    for await (const [payload] of socket) {
      if (payload.length === 0) return
      onMessage(payload)
    }
  }
  const flush = async () => {
    sending = true
    while (queue.length) await socket.send(queue.shift())
    sending = false
    const drained = onDrain
    onDrain = null
    drained?.()
  }
  const ended = read()
  const send = (payload) => {
    queue.push(payload)
    if (!sending) flush().catch((error) => process.stderr.write(`${error.stack}\n`))
    return queue.length < 64
  }
  return {
    ended,
    send,
    start: () => send(Buffer.alloc(0)),
    onDrain: (f) => {
      if (sending) onDrain = f
      else setImmediate(f)
    },
    onMessage: (f) => {
      onMessage = f
    },
    finish: () => {
      send(Buffer.alloc(0))
      return ended
    },
  }
}

await generate({ connect: open })
