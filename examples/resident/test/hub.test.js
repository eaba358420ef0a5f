// The hub alone: who gets what, with browsers that only note it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Directory } from '../src/push/directory.js'
import { encodeEvent } from '../src/push/frame.js'
import { History } from '../src/push/history.js'
import { Hub } from '../src/push/hub.js'

const shelf = {
  load: async () => {},
  put: async () => {},
  remove: async () => {},
  get: async () => undefined,
}

function newHub() {
  const directory = new Directory(shelf, { onError: assert.fail })
  return { directory, hub: new Hub(directory, new History({ events: 3, bytes: 10_000 })) }
}

const noting = (user) => ({
  user,
  lastId: 0,
  got: [],
  push: function (event) {
    this.got.push(event.frame)
  },
})

const event = (id, to = {}) => ({ id, to, frame: encodeEvent({ id, type: 'n', data: 'ü' }) })

test('a frame is encoded once: every browser gets the same bytes', () => {
  const { hub, directory } = newHub()
  const browsers = Array.from({ length: 100 }, (_, i) => noting(`user-${i}`))
  for (const browser of browsers) hub.attach(browser, undefined)
  const sent = event(1)
  hub.deliver(sent)
  for (const { got } of browsers) assert.ok(got.length === 1 && got[0] === sent.frame)
  directory.close()
})

test('an event is a text frame as RFC 6455 has it', () => {
  const frame = encodeEvent({ id: 7, type: 'n', data: 'ü' })
  const body = Buffer.from('{"id":7,"type":"n","data":"ü"}')
  assert.deepEqual(frame, Buffer.concat([Buffer.from([0x81, body.length]), body]))
})

test('the history forgets the oldest, by count and by bytes, and knows what it has forgotten', () => {
  const history = new History({ events: 3, bytes: 10_000 })
  for (let id = 1; id <= 5; id++) history.add(event(id))
  assert.deepEqual(
    [1, 2, 5, 6].map((id) => history.reaches(id)),
    [false, true, true, false],
  )
  assert.equal(history.after(2).id, 3)
  assert.equal(history.after(5), undefined)
  const small = new History({ events: 100, bytes: 70 })
  for (let id = 1; id <= 5; id++) small.add(event(id))
  assert.equal(small.reaches(2), false)
  assert.equal(small.reaches(4), true)
})

test('a directory keeps no token as it is, and counts known users', async () => {
  const kept = []
  const directory = new Directory(
    { ...shelf, put: async (key, value) => kept.push(JSON.stringify([key, value])) },
    {
      onError: assert.fail,
    },
  )
  await directory.setToken('secret-1', 'user-a', Date.now() + 1000)
  await directory.setToken('secret-2', 'user-a', Date.now() + 1000)
  assert.ok(kept.every((text) => !text.includes('secret')))
  assert.deepEqual([...directory.knownUsers()], ['user-a'])
  assert.equal((await directory.whose('secret-1')).user, 'user-a')
  await directory.forgetTokens('user-a')
  assert.deepEqual([...directory.knownUsers()], [])
  assert.equal(await directory.whose('secret-1'), undefined)
  directory.close()
})
