// The exchange as PHP makes it: in php-fpm behind nginx, and as a plain script.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Stage } from '../launcher/stage.js'
import { ask, askUntil } from './support/ask.js'
import { php, phpServer } from './support/php.js'

const tasks = fileURLToPath(new URL('./fixtures/tasks.js', import.meta.url))
const hex = (...parts) => Buffer.concat(parts.map((part) => Buffer.from(part))).toString('hex')

let stage
let address
before(async () => {
  stage = await new Stage({ tasks }).start()
  address = `unix://${stage.sockets[0]}`
})
after(() => stage.stop())

const page = async (path, options) => {
  const response = await fetch(stage.url + path, options)
  return { status: response.status, ...(await response.json()) }
}

test('a page in php-fpm makes an exchange', async () => {
  assert.deepEqual(await page('/once.php'), { status: 200, res: 'ok' })
})

test('three bytes of a header are answered after a second', async () => {
  const { reply, ms } = await php('raw', address, hex([0, 0, 0]))
  assert.equal(reply, '{"res":"fail","msg":"长度有误"}')
  assert.ok(ms >= 950, `after ${ms} ms`)
})

test('a body shorter than declared is answered after a second', async () => {
  const { reply, ms } = await php('raw', address, hex([0, 0, 0, 10], 'short'))
  assert.equal(reply, '{"res":"fail","msg":"长度不相等"}')
  assert.ok(ms >= 950, `after ${ms} ms`)
})

test('a message that is too large is refused with its code, also while PHP is still writing', async () => {
  const header = Buffer.alloc(4)
  header.writeUInt32BE(0xffffffff)
  const { reply } = await php('raw', address, hex(header, 'x'.repeat(40_000)))
  const { res, code } = JSON.parse(reply)
  assert.deepEqual({ res, code }, { res: 'fail', code: 'ERR_FRAME_TOO_LARGE' })
})

test('a message that is not JSON, and an empty one, are refused', async () => {
  for (const body of ['{"do":', '']) {
    const { reply } = await php('raw', address, hex([0, 0, 0, body.length], body))
    assert.equal(JSON.parse(reply).code, 'BAD_JSON')
  }
})

test('a plain script asks, with text beyond ASCII', async () => {
  const { result } = await php('ask', address, JSON.stringify({ do: 'task', name: 'echo', data: '你好 ✓' }))
  const { task } = await askUntil(
    stage.sockets[0],
    { do: 'status', id: result.id },
    ({ task }) => task?.finishedAt,
  )
  assert.equal(task.result, '你好 ✓')
})

test('a refusal is an exception with its reason', async () => {
  const { result } = await php('ask', address, JSON.stringify({ do: 'task', name: 'nothing' }))
  assert.equal(result.reason, 'UNKNOWN_TASK')
})

test('a script that does not wait for the reply still gets its task done', async () => {
  const message = { do: 'task', name: 'echo', data: 1, user: 'teller' }
  const { result } = await php('ask', address, JSON.stringify(message), 'tell')
  assert.equal(result, null)
  await askUntil(
    stage.sockets[0],
    { do: 'tasks', user: 'teller', state: 'done' },
    ({ tasks }) => tasks?.length === 1,
  )
})

test('a full backlog is tried again until there is room', async () => {
  const path = join(stage.folder, 'full.sock')
  const { server, ended } = phpServer('full-backlog', path)
  await once(server.stdout, 'data')
  const asked = php('ask', `unix://${path}`, '{"do":"ping"}')
  setTimeout(() => server.stdin.end('go\n'), 300)
  const { result, ms } = await asked
  assert.deepEqual(result, { res: 'ok' })
  assert.ok(ms < 800 + 1000)
  await ended
})

test('a backlog that stays full is a clear error within the limit', async () => {
  const path = join(stage.folder, 'stuck.sock')
  const { server, ended } = phpServer('full-backlog', path)
  await once(server.stdout, 'data')
  const { result, ms } = await php('ask', `unix://${path}`, '{"do":"ping"}')
  assert.equal(result.reason, 'UNREACHABLE')
  assert.ok(ms >= 790 && ms < 3000, `after ${ms} ms`)
  server.kill('SIGKILL')
  await ended
})

test('a second address is used when the first is down', async () => {
  const { result } = await php('ask', `unix://${stage.folder}/nobody.sock,${address}`, '{"do":"ping"}')
  assert.deepEqual(result, { res: 'ok' })
})

test('a resident process that hangs is a clear error within the limit', async () => {
  const { child } = stage.residents[0]
  child.process.kill('SIGSTOP')
  try {
    const { result, ms } = await php('ask', address, '{"do":"ping"}')
    assert.equal(result.reason, 'TIMEOUT')
    assert.ok(ms >= 990 && ms < 3000, `after ${ms} ms`)
  } finally {
    child.process.kill('SIGCONT')
  }
})

test('while the resident process is down pages say so at once', async () => {
  const [resident] = stage.residents
  await resident.stop()
  const down = await page('/once.php')
  assert.equal(down.status, 503)
  assert.equal(down.code, 'UNREACHABLE')
  assert.match(down.error, /does not answer/)
  resident.begin()
  await askUntil(stage.sockets[0], { do: 'ping' }, ({ res }) => res === 'ok')
  assert.deepEqual(await page('/once.php'), { status: 200, res: 'ok' })
})

test('a resident process that is killed is started again', async () => {
  const [resident] = stage.residents
  const { pid } = resident.child
  await resident.child.kill()
  assert.deepEqual(await askUntil(stage.sockets[0], { do: 'ping' }, ({ res }) => res === 'ok'), { res: 'ok' })
  assert.notEqual(resident.child.pid, pid)
  assert.deepEqual(await page('/once.php'), { status: 200, res: 'ok' })
})

test('pages want a login, and what they are sent is checked', async () => {
  assert.equal((await page('/token.php', { method: 'POST' })).status, 401)
  assert.equal((await page('/token.php')).status, 405)
  const login = await fetch(`${stage.url}/login.php`, {
    method: 'POST',
    body: new URLSearchParams({ name: 'user-a' }),
    redirect: 'manual',
  })
  assert.equal(login.status, 303)
  const cookie = login.headers.getSetCookie().at(-1).split(';')[0]
  const post = (path, body) =>
    page(path, { method: 'POST', headers: { cookie }, body: new URLSearchParams(body) })
  assert.equal((await post('/task.php', { upTo: 'many' })).status, 400)
  assert.equal((await post('/say.php', { text: '' })).status, 400)
  const { token } = await post('/token.php', {})
  assert.match(token, /^[0-9a-f]{48}$/)
  assert.equal((await ask(stage.sockets[0], { do: 'online', user: 'user-a' })).online, false)
})
