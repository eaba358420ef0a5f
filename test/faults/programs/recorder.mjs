// A server that writes down every frame it was given, and on which connection, before it answers; and is killed when its
// starter likes.
// Waits for a word before it listens, so that the next one can stand by while one is still running.
import { createHash } from 'node:crypto'
import { openSync, writeSync } from 'node:fs'
import { createServer } from 'framewire'

const { path, backend, record } = JSON.parse(process.argv[2])
const file = openSync(record, 'a')

const server = createServer({
  backend,
  onRequest: (payload, { id }) => {
    const hash = createHash('sha1').update(payload).digest('hex')
    const line = `${payload.toString('latin1', 0, 12)} ${process.pid}.${id} ${payload.length} ${hash}`
    // What the kernel has of a file survives the process. A write that SIGKILL meets ends between two pages: no line lies
    // on both sides.
    writeSync(file, `${line.padEnd(127)}\n`)
    return payload.subarray(0, 12)
  },
})

process.on('message', async ({ id }) => {
  await server.listen(path)
  process.send({ id })
})
process.on('disconnect', () => process.exit())
process.send({ id: 0 })
