// framewire itself. Variants: 'js', 'native' (frames lent in batches) and 'js-frame', 'native-frame' (a Buffer of
// one's own each). FRAMEWIRE_BENCH_PACKAGE names another build of the package, for comparing revisions.
import { pathToFileURL } from 'node:url'
import { OK_REPLY, party, payloadOf, pump } from './contract.mjs'

const other = process.env.FRAMEWIRE_BENCH_PACKAGE
const { createServer } = await import(other ? pathToFileURL(other).href : '../../dist/esm/index.js')

async function start(context, options, onConnection) {
  const [backend] = context.variant.split('-')
  const { counts } = context
  const server = createServer({ backend, ...options }, (connection) => {
    counts.connections++
    counts.open++
    connection.on('close', () => counts.open--)
    connection.on('error', () => counts.errors++)
    onConnection?.(connection)
  })
  await server.listen({ ...context.listen, backlog: 1024 })
  return server
}

const wantsFrames = (context) => context.variant.endsWith('-frame')

function count(context) {
  const { counts } = context
  const onFrame = (payload) => {
    counts.frames++
    counts.payloadBytes += payload.length
  }
  const onBatch = (batch) => {
    const { length } = batch
    let bytes = 0
    for (let i = 0; i < length; i++) bytes += batch.end(i) - batch.start(i)
    counts.frames += length
    counts.payloadBytes += bytes
  }
  const listenTo = wantsFrames(context)
    ? (connection) => connection.on('frame', onFrame)
    : (connection) => connection.onBatch(onBatch)
  return start(context, {}, listenTo)
}

function echo(context) {
  const { counts } = context
  if (wantsFrames(context)) {
    return start(context, {}, (connection) => {
      connection.on('frame', (payload) => {
        counts.frames++
        counts.payloadBytes += payload.length
        if (!connection.send(payload)) connection.pause()
      })
      connection.on('drain', () => connection.resume())
    })
  }
  return start(context, {}, (connection) => {
    connection.onBatch((batch) => {
      const { length } = batch
      let room = true
      let bytes = 0
      for (let i = 0; i < length; i++) {
        bytes += batch.end(i) - batch.start(i)
        room = connection.sendFrom(batch, i)
      }
      counts.frames += length
      counts.payloadBytes += bytes
      if (!room) connection.pause()
    })
    connection.on('drain', () => connection.resume())
  })
}

function send(context) {
  const { size, seconds, counts } = context
  const payload = payloadOf(size)
  return start(context, {}, (connection) => {
    connection.on('frame', () => counts.errors++)
    const write = () => connection.send(payload)
    const drain = (run) => connection.once('drain', run)
    pump({ size, seconds, counts, write, drain, done: () => connection.end() })
  })
}

function exchange(context) {
  const { counts } = context
  const onRequest = (payload) => {
    counts.frames++
    counts.payloadBytes += payload.length
    return OK_REPLY
  }
  return answer(context, { exchange: 'once', onRequest })
}

/** Connections nobody asks about by themselves: a server that answers requests makes no object for an idle one. */
function idle(context) {
  const { counts } = context
  const onRequest = (payload) => {
    counts.frames++
    counts.payloadBytes += payload.length
  }
  return answer(context, { onRequest })
}

async function answer(context, options) {
  const [backend] = context.variant.split('-')
  const server = createServer({ backend, ...options })
  server.on('error', () => context.counts.errors++)
  await server.listen({ ...context.listen, backlog: 1024 })
  return server
}

await party({ count, echo, send, exchange, idle })
