// The load generator, in a process of its own: `{work, path, ms, size, width}` in, `{sent, seconds}` out. The same for
// every party: it speaks to a unix socket and does not know what listens there.
import { once } from 'node:events'
import net from 'node:net'
import { encodeFrame, request } from 'framewire'

/** As a PHP page does it: connect, one frame, read the reply, close. `width` of them at a time. */
async function exchanges({ path, ms, size, width }) {
  const payload = Buffer.alloc(size, 'x')
  const begun = process.hrtime.bigint()
  const until = performance.now() + ms
  let sent = 0
  const one = async () => {
    while (performance.now() < until) {
      const reply = await request({ path }, payload)
      if (reply.toString() !== '{"res":"ok","msg":"长度相同"}') throw new Error(`wrong reply: ${reply}`)
      sent++
    }
  }
  await Promise.all(Array.from({ length: width }, one))
  return { sent, seconds: Number(process.hrtime.bigint() - begun) / 1e9 }
}

/** Frames that were encoded beforehand, 64 KiB a write, until time is up and the other side has taken everything. */
async function stream({ path, ms, size }) {
  const frame = encodeFrame(Buffer.alloc(size, 'x'))
  const frames = Math.floor(65_536 / frame.length)
  const block = Buffer.concat(Array.from({ length: frames }, () => frame))
  const socket = net.connect(path)
  await once(socket, 'connect')
  const begun = process.hrtime.bigint()
  const until = performance.now() + ms
  let sent = 0
  while (performance.now() < until) {
    sent += frames
    if (!socket.write(block)) await once(socket, 'drain')
  }
  socket.end()
  // The other side has nothing to say: its end of the connection comes when it has read all of ours.
  socket.resume()
  await once(socket, 'close')
  return { sent, seconds: Number(process.hrtime.bigint() - begun) / 1e9 }
}

process.on('message', async (order) => {
  process.send(await (order.work === 'exchange' ? exchanges(order) : stream(order)))
})
process.on('disconnect', () => process.exit())
process.send('ready')
