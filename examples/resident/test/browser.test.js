// The page in two real browsers: Chromium, nginx, php-fpm and the resident process together.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { chromium } from 'playwright-core'
import { program } from '../launcher/programs.js'
import { freePort } from '../launcher/ready.js'
import { Stage } from '../launcher/stage.js'
import { ask, askUntil } from './support/ask.js'
import { Cable } from './support/cable.js'

/** `SCREENSHOTS=screenshots npm test` renews the README's. */
const shots = process.env.SCREENSHOTS

let stage
let cable
let browser
const errors = []

async function logIn(name, url) {
  const context = await browser.newContext({ viewport: { width: 960, height: 480 } })
  const page = await context.newPage()
  page.on('pageerror', (error) => errors.push(error))
  page.setDefaultTimeout(15_000)
  await page.goto(url)
  await page.getByLabel('Name').fill(name)
  await page.getByRole('button', { name: 'Log in' }).click()
  await connected(page)
  return page
}

const connected = (page) => page.locator('#connection[data-state="connected"]').waitFor()
const messages = (page) => page.locator('#messages li').allTextContents()

async function shoot(page, name) {
  if (shots) await page.screenshot({ path: join(shots, `${name}.png`) })
}

async function say(page, to, text) {
  await page.getByLabel('To', { exact: true }).fill(to)
  await page.getByLabel('Text', { exact: true }).fill(text)
  await page.getByRole('button', { name: 'Send' }).click()
  await page.locator('#messages li', { hasText: `you: ${text}` }).waitFor()
}

before(async () => {
  const port = await freePort()
  cable = new Cable(port)
  await cable.plug()
  stage = await new Stage({ port, args: ['--origin', cable.url] }).start()
  browser = await chromium.launch({
    executablePath: program('chromium'),
    args: ['--disable-gpu', ...(process.getuid() === 0 ? ['--no-sandbox'] : [])],
  })
})
after(async () => {
  await browser?.close()
  await stage?.stop()
  await cable?.unplug()
})

test('two browsers follow a task and talk, and miss nothing when the connection is cut', async (t) => {
  const userA = await logIn('user-a', cable.url)
  const alsoUserA = await logIn('user-a', stage.url)
  const userB = await logIn('user-b', stage.url)

  await t.test('both browsers of the one who started it see a task move and its result arrive', async () => {
    await userA.getByLabel('Count the primes').fill('150000000')
    await userA.getByRole('button', { name: 'Start' }).click()
    for (const page of [userA, alsoUserA]) {
      const bar = page.locator('#tasks li[data-state="running"] progress')
      await page.waitForFunction(() => document.querySelector('#tasks progress')?.value > 0.05)
      const early = await bar.evaluate(({ value }) => value)
      await page.waitForFunction((value) => document.querySelector('#tasks progress').value > value, early)
    }
    await shoot(userA, 'task')
    for (const page of [userA, alsoUserA])
      await page.locator('#tasks li', { hasText: '8,444,396 up to 150,000,000' }).waitFor()
    assert.equal(await userB.locator('#tasks li').count(), 0)
  })

  await t.test('a message reaches whom it is for, and the sender sees that it did', async () => {
    await say(userB, 'user-a', 'lunch?')
    for (const page of [userA, alsoUserA])
      await page.locator('#messages li', { hasText: 'user-b: lunch?' }).waitFor()
    assert.deepEqual(await messages(userB), ['you: lunch? (2 reached, 0 away)'])
    await say(userA, '', '<b>at one</b> ✓')
    await userB.locator('#messages li', { hasText: 'user-a: <b>at one</b> ✓' }).waitFor()
    assert.equal((await messages(alsoUserA)).length, 1, 'a sender is left out')
  })

  await t.test('a cut connection comes back by itself, and nothing was missed', async () => {
    cable.cut()
    await userA.locator('#connection:not([data-state="connected"])').waitFor()
    for (const text of ['one', 'two', 'three']) await say(userB, 'user-a', text)
    await shoot(userA, 'cut')
    assert.equal((await messages(userA)).length, 2)
    cable.mend()
    await connected(userA)
    await userA.locator('#messages li', { hasText: 'user-b: three' }).waitFor()
    const heard = (await messages(userA)).filter((text) => text.startsWith('user-b')).reverse()
    assert.deepEqual(heard, ['user-b: lunch?', 'user-b: one', 'user-b: two', 'user-b: three'])
    await shoot(userA, 'resumed')
  })

  await t.test(
    'a resident process killed in mid-task: the page comes back, the task runs to its end',
    async () => {
      await userB.getByLabel('Count the primes').fill('50000000')
      await userB.getByRole('button', { name: 'Start' }).click()
      await userB.locator('#tasks li[data-state="running"]').waitFor()
      await stage.residents[0].child.kill()
      await userB.locator('#connection:not([data-state="connected"])').waitFor()
      await connected(userB)
      await userB.locator('#tasks li', { hasText: '3,001,134 up to 50,000,000' }).waitFor()
    },
  )

  await t.test('while it is down the form says so', async () => {
    await stage.residents[0].stop()
    await userB.getByRole('button', { name: 'Start' }).click()
    await userB.locator('#task-failure', { hasText: 'the resident process does not answer' }).waitFor()
    stage.residents[0].begin()
    await askUntil(stage.sockets[0], { do: 'ping' }, ({ res }) => res === 'ok')
    await connected(userB)
  })

  await t.test('logging out closes the other browsers of that user too', async () => {
    await connected(alsoUserA)
    await userA.getByRole('button', { name: 'Log out' }).click()
    await userA.getByLabel('Name').waitFor()
    await alsoUserA.locator('#connection[data-state="logged out"]').waitFor()
    assert.equal((await ask(stage.sockets[0], { do: 'online', user: 'user-a' })).online, false)
  })

  assert.deepEqual(errors, [])
})
