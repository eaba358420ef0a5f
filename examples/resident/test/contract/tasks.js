// What is promised of tasks, whatever they are kept in.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Stage } from '../../launcher/stage.js'
import { ask, askUntil, ended } from '../support/ask.js'

const tasks = fileURLToPath(new URL('../fixtures/tasks.js', import.meta.url))

/** Lines of a file the tasks write to: [word, time]. */
function notes(file) {
  try {
    return readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
  } catch (error) {
    if (error.code === 'ENOENT') return []
    throw error
  }
}

/** @param {string} label  @param {{nats?: boolean, residents?: number}} how */
export function describeTasks(label, how) {
  let stage
  let names = 0
  const socket = () => stage.sockets[names++ % stage.sockets.length]
  const file = () => join(stage.folder, `notes-${names++}`)
  const start = async (name, data, more = {}) => {
    const reply = await ask(socket(), { do: 'task', name, data, ...more })
    assert.equal(reply.res, 'ok', JSON.stringify(reply))
    return reply
  }

  before(async () => {
    stage = await new Stage({
      ...how,
      tasks,
      web: false,
      args: ['--max-queued', '40', '--concurrency', '2'],
    }).start()
  })
  after(() => stage.stop())

  test(`${label}: a task is accepted before its work is done, and its status follows it`, async () => {
    const reply = await start('steps', { steps: 8, ms: 100 })
    assert.equal(reply.state, 'waiting')
    const status = { do: 'status', id: reply.id }
    const moving = await askUntil(
      socket(),
      status,
      ({ task }) => task?.state === 'running' && task.progress > 0,
    )
    assert.ok(moving.task.progress < 1)
    const task = await ended(socket(), reply.id)
    assert.equal(task.state, 'done')
    assert.equal(task.result, 'all steps')
    assert.equal(task.progress, 1)
    assert.equal(task.attempts, 1)
  })

  test(`${label}: tasks are listed newest first, by state and user`, async () => {
    const first = await start('echo', 1, { user: 'lister' })
    await ended(socket(), first.id)
    const second = await start('echo', 2, { user: 'lister' })
    await ended(socket(), second.id)
    const wanted = { do: 'tasks', user: 'lister', state: 'done' }
    const { tasks: list } = await askUntil(socket(), wanted, ({ tasks }) => tasks?.length === 2)
    assert.deepEqual(
      list.map(({ result }) => result),
      [2, 1],
    )
    assert.equal((await ask(socket(), { do: 'tasks', user: 'lister', limit: 1 })).tasks.length, 1)
  })

  test(`${label}: what cannot be done is refused with a code`, async () => {
    const codes = async (message) => (await ask(socket(), message)).code
    assert.equal(await codes('{"do":'), 'BAD_JSON')
    assert.equal(await codes('[]'), 'BAD_JSON')
    assert.equal(await codes({ do: 'fly' }), 'UNKNOWN_COMMAND')
    assert.equal(await codes({ do: 'toString' }), 'UNKNOWN_COMMAND')
    assert.equal(await codes({ do: 'task', name: 'nobody-knows' }), 'UNKNOWN_TASK')
    assert.equal(await codes({ do: 'task', name: 'constructor' }), 'UNKNOWN_TASK')
    assert.equal(await codes({ do: 'task', name: 'echo', delay: -1 }), 'BAD_MESSAGE')
    assert.equal(await codes({ do: 'task', name: 'echo', deadline: 1000 }), 'EXPIRED')
    assert.equal(await codes({ do: 'status', id: 'nothing' }), 'UNKNOWN_ID')
    assert.equal(await codes({ do: 'tasks', state: 'lost' }), 'BAD_MESSAGE')
  })

  test(`${label}: the socket is served while a task keeps its thread busy`, async () => {
    const { id } = await start('busy', { ms: 1500 })
    await askUntil(socket(), { do: 'status', id }, ({ task }) => task?.state === 'running')
    for (const path of stage.sockets) assert.equal((await ask(path, { do: 'ping' })).res, 'ok')
    assert.equal((await ask(socket(), { do: 'status', id })).task.state, 'running')
    assert.equal((await ended(socket(), id)).result, 'was busy')
  })

  test(`${label}: no more run at a time than was allowed, and all run`, async () => {
    const log = file()
    const begun = await Promise.all(
      Array.from({ length: 9 }, (_, i) => start('noted', { file: log, name: i, ms: 150 })),
    )
    for (const { id } of begun) assert.equal((await ended(socket(), id)).state, 'done')
    let running = 0
    let most = 0
    for (const [word] of notes(log)) {
      running += word.startsWith('begin') ? 1 : -1
      most = Math.max(most, running)
    }
    assert.ok(most > 1 && most <= 2 * stage.sockets.length, `${most} at a time`)
  })

  test(`${label}: a failure is tried again after growing pauses`, async () => {
    const log = file()
    const { id } = await start('flaky', { file: log, failures: 2 })
    const task = await ended(socket(), id)
    assert.equal(task.state, 'done')
    assert.equal(task.result, 3)
    assert.equal(task.failures, 2)
    const times = notes(log).map(([, time]) => Number(time))
    assert.ok(times[1] - times[0] >= 50 && times[2] - times[1] >= 100, `tries at ${times}`)
  })

  test(`${label}: after the last try a task has failed and says why`, async () => {
    const { id } = await start('hopeless', null)
    const task = await ended(socket(), id)
    assert.equal(task.state, 'failed')
    assert.equal(task.attempts, 2)
    assert.deepEqual(task.error, { code: 'TASK_FAILED', msg: 'never works' })
  })

  test(`${label}: a task that loops for ever, ends its thread or returns what cannot be kept fails alone`, async () => {
    const [endless, leaves, unprintable] = await Promise.all(
      ['endless', 'leaves', 'unprintable'].map((name) => start(name, null)),
    )
    assert.equal((await ended(socket(), endless.id)).error.code, 'TIME_LIMIT')
    assert.equal((await ended(socket(), leaves.id)).error.code, 'TASK_FAILED')
    assert.equal((await ended(socket(), unprintable.id)).error.code, 'TASK_FAILED')
    assert.equal((await ended(socket(), (await start('echo', 'still here')).id)).result, 'still here')
  })

  test(`${label}: a delayed task begins when its time has come`, async () => {
    const log = file()
    const asked = Date.now()
    const { id } = await start('noted', { file: log, name: 'later' }, { delay: 700 })
    await ended(socket(), id)
    assert.ok(Number(notes(log)[0][1]) - asked >= 700)
  })

  test(`${label}: past its deadline a task is answered and not run`, async () => {
    const log = file()
    const { id } = await start('noted', { file: log, name: 'late' }, { delay: 60_000, expiresIn: 400 })
    const task = await ended(socket(), id)
    assert.equal(task.state, 'expired')
    assert.equal(task.error.code, 'EXPIRED')
    assert.equal(task.attempts, 0)
    assert.deepEqual(notes(log), [])
  })

  test(`${label}: a full queue refuses, and takes again when there is room`, async () => {
    const message = { do: 'task', name: 'echo', delay: 60_000, expiresIn: 2000 }
    const replies = []
    while (replies.at(-1)?.code !== 'QUEUE_FULL' && replies.length < 100)
      replies.push(await ask(socket(), message))
    assert.equal(replies.at(-1).code, 'QUEUE_FULL')
    assert.ok(replies.length >= 39 && replies.length <= 50, `${replies.length} accepted`)
    for (const path of stage.sockets)
      await askUntil(path, { do: 'tasks', state: 'waiting' }, ({ tasks }) => tasks?.length === 0)
    await start('echo', 1)
  })

  test(`${label}: after kill -9 in mid-task no task is lost, and each has ended once`, {
    timeout: 60_000,
  }, async () => {
    const log = file()
    const begun = await Promise.all(
      Array.from({ length: 8 }, (_, i) => start('noted', { file: log, name: i, ms: 1500 })),
    )
    // Tasks are shared between processes: the one to be killed must have one of them in hand.
    const { child } = stage.residents[0]
    const runsThere = () => {
      const there = notes(log).filter(([, , pid]) => Number(pid) === child.process.pid)
      return there.length > there.filter(([word]) => word.startsWith('end')).length * 2
    }
    await askUntil(socket(), { do: 'ping' }, runsThere)
    await child.kill()
    const tasks = []
    const path = stage.sockets.at(-1)
    for (const { id } of begun) tasks.push(await ended(path, id, 30_000))
    assert.ok(tasks.every(({ state }) => state === 'done'))
    for (let i = 0; i < 8; i++) assert.ok(notes(log).some(([word]) => word === `end-${i}`))
    assert.ok(
      tasks.some(({ attempts }) => attempts === 2),
      'one was cut short and begun again',
    )
    // The end that was recorded stays as it is, through another kill as well.
    await stage.residents[0].child.kill()
    for (const task of tasks) {
      const { task: again } = await askUntil(path, { do: 'status', id: task.id }, ({ task }) => task)
      assert.deepEqual(again, task)
    }
    for (const each of stage.sockets) await askUntil(each, { do: 'ping' }, ({ res }) => res === 'ok')
  })
}
