// What is promised of push, whatever it goes over.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, afterEach, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Stage } from '../../launcher/stage.js'
import { ask, askUntil } from '../support/ask.js'
import { Viewer } from '../support/viewer.js'

const tasks = fileURLToPath(new URL('../fixtures/tasks.js', import.meta.url))
const HOUR = 3600_000

/** @param {string} label  @param {{nats?: boolean, residents?: number}} how */
export function describePush(label, how) {
  let stage
  let turn = 0
  const viewers = []
  const socket = () => stage.sockets[turn++ % stage.sockets.length]
  const tell = async (message) => {
    const reply = await ask(socket(), message)
    assert.equal(reply.res, 'ok', JSON.stringify(reply))
    return reply
  }

  /** A browser, at one process or the other by turns. */
  function view(greeting, { origin = stage.url, ...options } = {}) {
    const viewer = new Viewer(stage.doors[turn++ % stage.doors.length], origin, greeting, options)
    viewers.push(viewer)
    return viewer
  }

  async function tokenFor(user, expiresIn = HOUR) {
    const token = randomUUID()
    await tell({ do: 'token', token, user, expiresIn })
    return token
  }

  /** A browser of `user` that has been let in, and is known everywhere to be there. */
  async function viewAs(user, { last, ...options } = {}) {
    const { browsers } = await tell({ do: 'online', user })
    const viewer = view({ token: await tokenFor(user), last }, options)
    await viewer.welcomed()
    for (const path of stage.sockets)
      await askUntil(path, { do: 'online', user }, (answer) => answer.browsers > browsers)
    return viewer
  }

  before(async () => {
    const args = ['--token-timeout', '1000', '--ping-interval', '1000']
    stage = await new Stage({ ...how, tasks, web: false, args }).start()
  })
  afterEach(async () => {
    for (const viewer of viewers) viewer.close()
    await Promise.all(viewers.splice(0).map(({ closed }) => closed))
  })
  after(() => stage.stop())

  test(`${label}: a push reaches every browser of a user and nobody else, and the receipt counts them`, async () => {
    const one = await viewAs('user-a')
    const two = await viewAs('user-a')
    const other = await viewAs('user-b')
    const receipt = await tell({ do: 'toUser', user: 'user-a', type: 'note', data: { text: 'grüß dich' } })
    assert.deepEqual(receipt, { res: 'ok', sent: 2, queued: 0, dropped: 0, offline: 0 })
    for (const viewer of [one, two])
      assert.deepEqual((await viewer.hears(({ type }) => type === 'note')).data, { text: 'grüß dich' })
    await tell({ do: 'toUser', user: 'user-b', type: 'end' })
    await other.hears(({ type }) => type === 'end')
    assert.deepEqual(other.data, [null])
  })

  test(`${label}: groups are joined and left, and some may be left out`, async () => {
    const users = ['g1', 'g2', 'g3']
    const members = []
    for (const user of users) {
      members.push(await viewAs(user))
      await tell({ do: 'join', group: 'team', user })
    }
    await tell({ do: 'join', group: 'team', user: 'away' })
    const toTeam = (data, more) => tell({ do: 'toGroup', group: 'team', type: 'note', data, ...more })
    const first = await askUntil(
      socket(),
      { do: 'toGroup', group: 'team', type: 'note', data: 1, except: ['g2'] },
      ({ sent, offline }) => sent === 2 && offline === 1,
    )
    assert.equal(first.dropped, 0)
    await tell({ do: 'leave', group: 'team', user: 'g3' })
    await askUntil(
      socket(),
      { do: 'toGroup', group: 'team', type: 'note', data: 2 },
      ({ sent }) => sent === 2,
    )
    await tell({ do: 'leave', group: 'team', user: 'away' })
    assert.equal((await toTeam(3)).res, 'ok')
    await members[1].hears(({ data }) => data === 3)
    assert.ok(!members[1].data.includes(1))
    assert.ok(!members[2].data.includes(3))
  })

  test(`${label}: toAll reaches everybody but those left out; known users without a browser are offline`, async () => {
    const one = await viewAs('all-1')
    const two = await viewAs('all-2')
    await tokenFor('all-away')
    const { offline } = await tell({ do: 'toAll', type: 'before' })
    assert.ok(offline >= 1)
    const receipt = await tell({ do: 'toAll', type: 'news', data: 'x', except: ['all-2'] })
    assert.equal(receipt.sent, 1)
    await one.hears(({ type }) => type === 'news')
    await tell({ do: 'toAll', type: 'end' })
    await two.hears(({ type }) => type === 'end')
    assert.ok(!two.heard.some(({ type }) => type === 'news'))
  })

  test(`${label}: a user is online as long as a browser is; a push to nobody says so`, async () => {
    assert.deepEqual(await tell({ do: 'online', user: 'carl' }), { res: 'ok', online: false, browsers: 0 })
    assert.equal((await tell({ do: 'toUser', user: 'carl', type: 'x' })).offline, 1)
    const viewer = await viewAs('carl')
    assert.deepEqual(await tell({ do: 'online', user: 'carl' }), { res: 'ok', online: true, browsers: 1 })
    viewer.close()
    for (const path of stage.sockets)
      await askUntil(path, { do: 'online', user: 'carl' }, ({ online }) => !online)
  })

  test(`${label}: kick closes a user's browsers, and their tokens are good no more`, async () => {
    const token = await tokenFor('dora')
    const viewer = view({ token })
    await viewer.welcomed()
    assert.equal((await tell({ do: 'kick', user: 'dora', reason: 'enough' })).closed, 1)
    assert.deepEqual(await viewer.closed, { code: 4403, reason: 'enough' })
    assert.equal((await view({ token }).closed).code, 4401)
  })

  test(`${label}: without a right token in time, or from another origin, nobody comes in`, async () => {
    assert.equal((await view({ token: 'made up' }).closed).code, 4401)
    assert.equal((await view('not even JSON').closed).code, 4401)
    assert.equal((await view({ token: 7 }).closed).code, 4401)
    assert.equal((await view(undefined).closed).code, 4408)
    assert.equal((await view({ token: 'x'.repeat(5000) }).closed).code, 1009)
    const token = await tokenFor('eve')
    assert.equal(await view({ token }, { origin: 'http://elsewhere.example' }).refused, 403)
    assert.equal(await view({ token }, { origin: '' }).refused, 403)
  })

  test(`${label}: a token is good until it expires, and so is the connection made with it`, async () => {
    const token = await tokenFor('fay', 800)
    const viewer = view({ token })
    await viewer.welcomed()
    assert.deepEqual(await viewer.closed, { code: 4401, reason: 'token expired' })
    assert.equal((await view({ token }).closed).code, 4401)
  })

  test(`${label}: who talks after the greeting is closed`, async () => {
    const viewer = await viewAs('gus')
    viewer.ws.send('and another thing')
    assert.equal((await viewer.closed).code, 1008)
  })

  test(`${label}: a browser that does not answer pings is found dead`, async () => {
    const viewer = await viewAs('hal', { autoPong: false })
    await viewer.closed
    for (const path of stage.sockets)
      await askUntil(path, { do: 'online', user: 'hal' }, ({ online }) => !online)
  })

  test(`${label}: who comes back hears what was said meanwhile, in order, once, and only what was meant for them`, async () => {
    const first = await viewAs('ida')
    await tell({ do: 'toUser', user: 'ida', type: 'n', data: 0 })
    await first.hears(({ data }) => data === 0)
    first.close()
    for (const path of stage.sockets)
      await askUntil(path, { do: 'online', user: 'ida' }, ({ online }) => !online)
    await tell({ do: 'toGroup', group: 'late', type: 'n', data: 'before she joined' })
    await tell({ do: 'join', group: 'late', user: 'ida' })
    for (let i = 1; i <= 20; i++) {
      if (i % 4 === 0) await tell({ do: 'toGroup', group: 'late', type: 'n', data: i })
      else if (i % 4 === 1) await tell({ do: 'toAll', type: 'n', data: i })
      else await tell({ do: 'toUser', user: 'ida', type: 'n', data: i })
      await tell({ do: 'toUser', user: 'somebody', type: 'n', data: 'private' })
    }
    await tell({ do: 'toAll', type: 'n', data: 'not for her', except: ['ida'] })
    const again = await viewAs('ida', { last: first.lastId })
    assert.equal((await again.welcomed()).resumed, true)
    await tell({ do: 'toUser', user: 'ida', type: 'n', data: 'live' })
    await again.hears(({ data }) => data === 'live')
    assert.deepEqual(again.data, [...Array.from({ length: 20 }, (_, i) => i + 1), 'live'])
  })

  test(`${label}: who was away for longer than is remembered is told so`, async () => {
    const viewer = view({ token: await tokenFor('jon'), last: 2 ** 40 })
    assert.equal((await viewer.welcomed()).resumed, false)
  })

  for (const policy of ['drop-oldest', 'drop-newest', 'close']) {
    test(`${label}: a browser that reads slowly is bounded: ${policy}`, async () => {
      const group = `slow-${policy}`
      const user = `reader-${policy}`
      const limit = 4
      const viewer = await viewAs(user)
      await tell({ do: 'group', group, policy, limit })
      await tell({ do: 'join', group, user })
      const text = 'x'.repeat(100_000)
      const push = (n) => tell({ do: 'toGroup', group, type: 'big', data: { n, text } })
      await askUntil(
        socket(),
        { do: 'toGroup', group, type: 'big', data: { n: -1 } },
        ({ sent }) => sent === 1,
      )
      viewer.ws.pause()
      const receipts = []
      for (let n = 0; n < 200 && receipts.filter(({ dropped }) => dropped > 0).length < 3; n++) {
        receipts.push(await push(n))
        if (policy === 'close' && receipts.at(-1).dropped) break
      }
      assert.equal(receipts.filter(({ queued, dropped }) => queued && !dropped).length, limit)
      assert.ok(receipts.some(({ dropped }) => dropped === 1))
      viewer.ws.resume()
      if (policy === 'close') {
        assert.equal((await tell({ do: 'online', user })).online, false)
        await viewer.closed
        return
      }
      const count = receipts.length
      const sent = receipts.filter((receipt) => receipt.sent).length
      const kept =
        policy === 'drop-oldest'
          ? Array.from({ length: limit }, (_, i) => count - limit + i)
          : Array.from({ length: limit }, (_, i) => sent + i)
      await viewer.hears(({ data }) => data?.n === kept.at(-1))
      const heard = viewer.data.map(({ n }) => n).filter((n) => n >= sent)
      assert.deepEqual(heard, kept)
    })
  }

  test(`${label}: after kill -9 users, groups and what was said are still there`, {
    timeout: 60_000,
  }, async () => {
    const token = await tokenFor('kim')
    await tell({ do: 'join', group: 'lasting', user: 'kim' })
    const viewer = new Viewer(stage.doors[0], stage.url, { token })
    viewers.push(viewer)
    const { last } = await viewer.welcomed()
    for (const path of stage.sockets)
      await askUntil(path, { do: 'online', user: 'kim' }, ({ online }) => online)
    await tell({ do: 'toUser', user: 'kim', type: 'n', data: 'heard or not' })
    await stage.residents[0].child.kill()
    await viewer.closed
    for (const path of stage.sockets) {
      await askUntil(path, { do: 'online', user: 'kim' }, ({ online }) => online === false)
      await askUntil(path, { do: 'ping' }, ({ res }) => res === 'ok')
    }
    await tell({ do: 'toGroup', group: 'lasting', type: 'n', data: 'said meanwhile' })
    const again = view({ token, last })
    assert.equal((await again.welcomed()).resumed, true)
    await again.hears(({ data }) => data === 'said meanwhile')
    assert.deepEqual(again.data, ['heard or not', 'said meanwhile'])
  })
}
