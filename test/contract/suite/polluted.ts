/** Names that somebody has put on Object.prototype are not found in records of ours: another process, as all objects of one have it. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { Backend } from './harness.js'
import { folder } from './service.js'

/** What records between the layers, and descriptors, may leave out. */
const NAMES = [
  ...['opening', 'released', 'wantsDrain', 'closing', 'kept', 'mark', 'peer', 'address', 'final'],
  ...['error', 'held', 'sends', 'always', 'scanner', 'space', 'ownsChunks', 'discard'],
  ...[
    'get',
    'set',
    'cause',
    'hint',
    'declared',
    'received',
    'limit',
    'message',
    'connectionId',
    'neverWritten',
  ],
  ...['mode', 'owner', 'initial', 'max', 'announceAll', 'policy', 'chokes', 'onEnd', 'onClosed', 'onOver'],
]

const SCRIPT = `
import { once } from 'node:events'
import { connect as connectRaw } from 'node:net'
import { connect, createClient, createServer, FrameError } from 'framewire'

const [backend, folder, ...names] = process.argv.slice(1)
const found = []
let at = ''
process.on('uncaughtException', (error) => found.push(at + ': ' + error.message))

async function exchange(path) {
  const server = createServer({
    backend,
    onRequest(payload) {
      if (payload.length === 0) throw new Error('nothing')
      return payload
    },
    errorReply: (error) => error.code,
  })
  await server.listen(path)
  const client = createClient({ path, backend })
  const replies = [String(await client.request('reply', { timeout: 5000 }))]
  const connection = await connect({ path, backend })
  connection.on('error', () => {})
  const got = once(connection, 'frame')
  connection.send('frame')
  replies.push(String((await got)[0]))
  const stream = (await connect({ path, backend })).toDuplex()
  const read = once(stream, 'data')
  stream.end('streamed')
  replies.push(String((await read)[0]))
  stream.resume()
  await once(stream, 'close')
  const raw = connectRaw({ path })
  let told = ''
  raw.on('data', (chunk) => (told += chunk)).on('error', () => {})
  raw.write(Buffer.from('ffffffff', 'hex'))
  await once(raw, 'close')
  replies.push(told.slice(4), String(await client.request('', { timeout: 5000 })))
  await client.close()
  await server.close()
  connection.destroy()
  const lost = await connect({ path, backend }).catch((error) => error.code)
  const { message, ...fields } = new FrameError('ERR_FRAME_CLOSED')
  replies.push(lost, JSON.stringify(fields))
  return replies.join()
}

const wanted = await exchange(folder + '/s')
let last = 0
found.push(wanted)
for (const name of names)
  for (const value of [7, true]) {
    at = name + '=' + value
    Object.defineProperty(Object.prototype, name, { configurable: true, writable: true, value })
    const late = new Promise((resolve) => setTimeout(resolve, 4000, 'late').unref())
    const said = await Promise.race([exchange(folder + '/' + ++last), late]).catch((error) => error.stack)
    delete Object.prototype[name]
    if (said !== wanted) found.push(at + ': ' + said)
    if (said === 'late') break
  }
console.log(JSON.stringify(found))
process.exit()
`

export function pollutedContract(backend: Backend): void {
  describe.runIf(process.platform !== 'win32')('Object.prototype', () => {
    it('with names of records of ours on it changes nothing', { timeout: 120_000 }, async () => {
      const args = ['--input-type=module', '-e', SCRIPT, backend, await folder(), ...NAMES]
      const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: join(import.meta.dirname) })
      expect(JSON.parse(stdout)).toEqual([
        'reply,frame,streamed,ERR_FRAME_TOO_LARGE,ERR_FRAME_HANDLER,ENOENT,{"code":"ERR_FRAME_CLOSED"}',
      ])
    })
  })
}
