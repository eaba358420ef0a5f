// Runs a plan of fuzz-plan.mjs on one backend and tells what happened, in words that two backends must share: frames, errors,
// replies and what the peer read. What is a matter of turns, and so may differ, is not told, or told apart from the rest.
import { once } from 'node:events'
import { connect as connectRaw, createServer as createRawServer } from 'node:net'
import { connect, createClient, createServer } from 'framewire'

const turn = () => new Promise((resolve) => setImmediate(resolve))
async function turns(count) {
  for (let i = 0; i < count; i++) await turn()
}

function describe(error) {
  if (error === undefined) return 'close'
  const { code, declared, limit, received, hint } = error
  return `close ${JSON.stringify({ code, declared, limit, received, hint })}`
}

function describeValue(value) {
  if (Buffer.isBuffer(value)) return `${value.length} ${value.subarray(0, 3).toString('hex')}`
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return `${typeof value} ${text?.length} ${text?.slice(0, 12)}`
}

/** Frames and events of one connection. Streams and loops read later than the connection closes: theirs are told apart. */
class Story {
  frames = []
  events = []

  constructor(plan) {
    this.isOrdered = ['frame', 'batch'].includes(plan.consumer)
  }

  frame(value) {
    this.frames.push(describeValue(value))
    if (this.isOrdered) this.events.push(describeValue(value))
  }

  event(text) {
    this.events.push(text)
  }

  lines() {
    return this.isOrdered ? this.events : [...this.frames, ...this.events]
  }
}

/** Sends `value` back, some of it as text where the plan says so. */
function reply(connection, plan, value, story) {
  const { echoes, textual, options } = plan
  story.frame(value)
  if (!echoes) return
  const isBytes = Buffer.isBuffer(value)
  if (isBytes && value.length > options.maxFrameLength) return
  try {
    const isShortened = textual && isBytes && options.serialization === undefined
    connection.send(isShortened ? value.toString('latin1').slice(0, value.length >> 1) : value)
  } catch (error) {
    story.event(`send ${error.code}`)
  }
}

function pauser(connection, { pauseEvery, pauseTurns }) {
  let count = 0
  return () => {
    if (++count % pauseEvery !== 0) return
    connection.pause()
    void turns(pauseTurns).then(() => connection.resume())
  }
}

/** Every way to take frames. Each gives a promise of its reader's end. */
const CONSUME = {
  frame(connection, plan, story) {
    const pause = pauser(connection, plan)
    connection.on('frame', (value) => {
      reply(connection, plan, value, story)
      pause()
    })
  },
  batch(connection, plan, story) {
    const pause = pauser(connection, plan)
    connection.onBatch((batch) => {
      for (let i = 0; i < batch.length; i++) {
        // By the frame's number in the stream: batches may be cut otherwise on the other backend.
        const isForwarded = !plan.textual && story.frames.length % 2 === 0
        story.frame(isForwarded ? batch.view(i) : batch.copy(i))
        if (!plan.echoes) continue
        try {
          if (isForwarded) connection.sendFrom(batch, i)
          else connection.send(encodable(batch.copy(i), plan))
        } catch (error) {
          story.event(`send ${error.code}`)
        }
      }
      pause()
    })
  },
  async iterator(connection, plan, story) {
    for await (const value of connection) {
      reply(connection, plan, value, story)
      if (story.frames.length % plan.pauseEvery === 0) await turns(plan.pauseTurns)
    }
  },
  async duplex(connection, plan, story) {
    for await (const value of connection.toDuplex()) {
      reply(connection, plan, value, story)
      if (story.frames.length % plan.pauseEvery === 0) await turns(plan.pauseTurns)
    }
  },
  async web(connection, plan, story) {
    for await (const value of connection.toWeb().readable) {
      reply(connection, plan, value, story)
      if (story.frames.length % plan.pauseEvery === 0) await turns(plan.pauseTurns)
    }
  },
}

/** What can be sent of a frame's bytes, whatever values the connection carries. */
function encodable(bytes, { options, textual }) {
  if (options.serialization === 'json') return bytes.length
  if (options.serialization !== undefined) return 'x'.repeat(4)
  return textual ? bytes.toString('latin1').slice(0, bytes.length >> 1) : bytes
}

/** Consumes `connection` as the plan says; settles when it is closed and its reader is done. */
async function consume(connection, plan, story) {
  const closed = new Promise((resolve) => {
    connection.on('close', (error) => {
      story.event(describe(error))
      resolve()
    })
  })
  const reading = Promise.resolve(CONSUME[plan.consumer](connection, plan, story)).catch((error) =>
    story.event(`reader ${error.code}`),
  )
  await Promise.all([closed, reading])
}

/** The plain socket at the other end writes the plan's chunks, a turn apart. Gives what it read when it is over. */
async function play(socket, { chunks, stalls }) {
  const received = []
  socket.on('data', (chunk) => received.push(chunk))
  socket.on('error', () => {})
  const ended = new Promise((resolve) => {
    socket.once('end', resolve)
    socket.once('close', resolve)
  })
  for (const chunk of chunks) {
    socket.write(chunk)
    await turn()
  }
  if (!stalls) socket.end()
  await ended
  socket.destroy()
  return Buffer.concat(received).toString('latin1')
}

/** A server whose connections are consumed. */
async function tellServer(backend, path, plan) {
  const story = new Story(plan)
  const server = createServer({ backend, ...plan.options })
  const closed = new Promise((resolve) => {
    server.on('connection', (connection) => resolve(consume(connection, plan, story)))
  })
  await server.listen(path)
  const [received] = await Promise.all([play(connectRaw({ path, allowHalfOpen: true }), plan), closed])
  await server.close({ timeout: 0 })
  // Later readers reply after the turn; whether an error overtakes them is a matter of turns.
  return [...story.lines(), ...(story.isOrdered ? [received, counters(server)] : [])]
}

function counters(server) {
  const { accepted, requests, faults, handlerFailures } = server.stats()
  return JSON.stringify({ accepted, requests, faults, handlerFailures })
}

const HANDLE = {
  answers: (value) => value,
  'answers late': async (value, i) => {
    await turns(i % 3)
    return value
  },
  'answers some': (value, i) => (i % 2 === 0 ? value : undefined),
  throws: (value, i) => {
    if (i % 4 === 2) throw new Error('no')
    return value
  },
  rejects: async (value, i) => {
    await turns(i % 2)
    if (i % 4 === 2) throw new Error('no')
    return value
  },
}

/** A server that answers, many times or once. */
async function tellHandler(backend, path, plan) {
  const handled = []
  const failures = []
  const { errorReply } = plan.options
  const server = createServer({
    backend,
    ...plan.options,
    // Its answer is told by the peer, what it is asked for here.
    errorReply: errorReply && ((error) => `sorry ${error.code}`),
    exchange: plan.side === 'once' ? 'once' : 'stream',
    onRequest: (value) => {
      handled.push(describeValue(value))
      return HANDLE[plan.handler](value, handled.length - 1)
    },
  })
  server.on('error', (error) => failures.push(`${error.code} ${error.cause?.message ?? ''}`))
  await server.listen(path)
  const received = await play(connectRaw({ path, allowHalfOpen: true }), plan)
  await server.close({ timeout: 1000 })
  return [...handled, ...failures, received, counters(server)]
}

/** A plain server whose one connection plays the plan, once its client has said something where `waits`. */
async function rawServer(path, plan, waits) {
  let finish
  const played = new Promise((resolve) => {
    finish = resolve
  })
  const server = createRawServer({ allowHalfOpen: true }, async (socket) => {
    if (waits) {
      // Closed before it has said anything: there is nobody to play to.
      socket.once('close', () => finish(''))
      await once(socket, 'readable').catch(() => {})
    }
    finish(await play(socket, plan))
  })
  await once(server.listen(path), 'listening')
  const close = () => new Promise((resolve) => server.close(resolve))
  return { played, close }
}

/** A client's connection, consumed as a server's is. */
async function tellConnection(backend, path, plan) {
  const story = new Story(plan)
  const raw = await rawServer(path, plan, false)
  const connection = await connect({ backend, path, ...plan.options })
  const [received] = await Promise.all([raw.played, consume(connection, plan, story)])
  await raw.close()
  return [...story.lines(), ...(story.isOrdered ? [received] : [])]
}

/** A client that asks, and whose server answers with whatever the stream holds. */
async function tellRequests(backend, path, plan) {
  const raw = await rawServer(path, plan, true)
  const client = createClient({ backend, path, ...plan.options, reconnect: false, requestTimeout: 0 })
  client.on('error', () => {})
  const outcome = (promise) =>
    promise.then(
      (value) => describeValue(value),
      (error) => `failed ${error.code}`,
    )
  const question = plan.options.serialization === undefined ? Buffer.from('?') : '?'
  const outcomes = await Promise.all(
    Array.from({ length: plan.questions }, () => outcome(client.request(question))),
  )
  await client.close({ timeout: 0 })
  await raw.played
  await raw.close()
  return outcomes
}

const TELL = {
  server: tellServer,
  handler: tellHandler,
  once: tellHandler,
  connection: tellConnection,
  requests: tellRequests,
}

/** What happened, a line each. */
export const tell = (backend, path, plan) => TELL[plan.side](backend, path, plan)
