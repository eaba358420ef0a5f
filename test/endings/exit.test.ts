/** `process.exit()` inside a callback ends the process with the code it was given, and the next one takes the path over. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { lstatSync, mkdtempSync, rmSync } from 'node:fs'
import { connect as connectRaw } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { createServer, encodeFrame, request } from 'framewire'
import { describe, expect, it, onTestFinished } from 'vitest'

const backends: readonly ('js' | 'native')[] =
  process.env.FRAMEWIRE_BACKEND === 'js' ? ['js'] : ['js', 'native']
const program = fileURLToPath(new URL('programs/exit.mjs', import.meta.url))

/** Two frames, and a third that declares more than any limit allows. */
const STREAM = Buffer.concat([encodeFrame('first'), encodeFrame('second'), Buffer.alloc(4, 0xff)])

describe.each(backends)('process.exit() on the %s backend', (backend) => {
  it.each([
    'connection',
    'frame',
    'batch',
    'iterator',
    'written',
    'error',
    'close',
    'request',
    'once',
    'reply',
  ])('in a callback (%s) ends with its code, and the leftover socket is replaced', async (callback) => {
    const directory = mkdtempSync(join(tmpdir(), 'fw-exit-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const path = join(directory, 's')
    const child = fork(program, [JSON.stringify({ backend, callback, path })], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    const over = once(child, 'exit')
    onTestFinished(() => void child.kill('SIGKILL'))
    const said = text(child.stderr as NodeJS.ReadableStream)
    if (callback !== 'reply') {
      await once(child, 'message')
      const socket = connectRaw(path)
      onTestFinished(() => void socket.destroy())
      socket.on('error', () => {})
      socket.write(STREAM)
    }
    expect([...(await over), await said]).toEqual([0, null, ''])
    expect(lstatSync(path).isSocket()).toBe(true)

    const server = createServer({ backend, serialization: 'text', onRequest: () => 'the next one' })
    onTestFinished(() => server.close({ timeout: 0 }))
    await server.listen(path)
    expect(await request({ backend, path, serialization: 'text' }, '?')).toBe('the next one')
  })
})
