// The NATS server goes away and comes back: applications are told in time, and then everything goes on.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Stage } from '../launcher/stage.js'
import { ask, askUntil, ended } from './support/ask.js'
import { php } from './support/php.js'
import { Viewer } from './support/viewer.js'

const tasks = fileURLToPath(new URL('./fixtures/tasks.js', import.meta.url))

let stage
before(async () => {
  stage = await new Stage({ nats: true, residents: 2, tasks, web: false }).start()
})
after(() => stage.stop())

test('without its NATS server a resident process refuses in time, and goes on when it is back', async () => {
  const [first, second] = stage.sockets
  await ask(first, { do: 'token', token: 'lou-1', user: 'lou', expiresIn: 3600_000 })
  const viewer = new Viewer(stage.doors[1], stage.url, { token: 'lou-1' })
  await viewer.welcomed()
  const held = await ask(first, { do: 'task', name: 'echo', data: 'kept', delay: 4000 })
  assert.equal(held.res, 'ok')

  await stage.broker.stop()
  const { result } = await php('ask', `unix://${first}`, '{"do":"ping"}')
  assert.deepEqual(result, { res: 'ok' })
  assert.equal((await ask(first, { do: 'task', name: 'echo' })).code, 'UNAVAILABLE')
  assert.equal((await ask(second, { do: 'toUser', user: 'lou', type: 'x' })).code, 'UNAVAILABLE')

  stage.broker.begin()
  await askUntil(first, { do: 'toUser', user: 'lou', type: 'n', data: 'back' }, ({ sent }) => sent === 1)
  await viewer.hears(({ data }) => data === 'back')
  assert.equal((await ended(second, held.id)).result, 'kept')
  const { id } = await askUntil(first, { do: 'task', name: 'echo', data: 'new' }, ({ res }) => res === 'ok')
  assert.equal((await ended(second, id)).result, 'new')
  viewer.close()
  await viewer.closed
})
