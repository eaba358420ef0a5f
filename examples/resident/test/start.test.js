// `npm start`: brings everything up, and leaves nothing behind.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const launcher = fileURLToPath(new URL('../bin/start.js', import.meta.url))

async function start(...args) {
  const child = spawn(process.execPath, [launcher, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exit = once(child, 'exit')
  let output = ''
  for await (const piece of child.stdout) {
    output += piece
    if (output.includes('Ctrl-C')) break
  }
  const url = /http:\S+/.exec(output)?.[0]
  const folder = /logs: (\S+)/.exec(output)?.[1]
  const residents = /processes: ([\d, ]+)/.exec(output)?.[1].split(', ').map(Number)
  return { child, exit, url, folder, residents }
}

async function gone(pid) {
  for (const until = Date.now() + 15_000; Date.now() < until; await delay(25)) {
    try {
      process.kill(pid, 0)
    } catch (error) {
      if (error.code === 'ESRCH') return true
      throw error
    }
  }
  return false
}

for (const args of [[], ['--nats']]) {
  test(`npm start ${args.join(' ')}: the page is served, and Ctrl-C clears up`, async () => {
    const { child, exit, url, folder, residents } = await start(...args)
    assert.match(await (await fetch(url)).text(), /Who are you/)
    assert.equal((await (await fetch(`${url}/once.php`)).json()).res, 'ok')
    assert.equal(residents.length, args.length + 1)
    child.kill('SIGINT')
    assert.deepEqual(await exit, [0, null])
    assert.ok(!existsSync(folder))
    for (const pid of residents) assert.ok(await gone(pid))
    await assert.rejects(fetch(url))
  })
}

test('npm start that is killed itself leaves no process behind', async (t) => {
  const { child, exit, url, folder, residents } = await start()
  t.after(() => import('node:fs/promises').then(({ rm }) => rm(folder, { recursive: true, force: true })))
  child.kill('SIGKILL')
  await exit
  assert.ok(await gone(residents[0]))
  for (const until = Date.now() + 15_000; Date.now() < until; await delay(25)) {
    const answers = await fetch(url).then(
      () => true,
      () => false,
    )
    if (!answers) return
  }
  assert.fail('the web server goes on')
})
