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
  const anna = await logIn('anna', cable.url)
  const alsoAnna = await logIn('anna', stage.url)
  const bob = await logIn('bob', stage.url)

  await t.test('both browsers of the one who started it see a task move and its result arrive', async () => {
    await anna.getByLabel('Count the primes').fill('150000000')
    await anna.getByRole('button', { name: 'Start' }).click()
    for (const page of [anna, alsoAnna]) {
      const bar = page.locator('#tasks li[data-state="running"] progress')
      await page.waitForFunction(() => document.querySelector('#tasks progress')?.value > 0.05)
      const early = await bar.evaluate(({ value }) => value)
      await page.waitForFunction((value) => document.querySelector('#tasks progress').value > value, early)
    }
    await shoot(anna, 'task')
    for (const page of [anna, alsoAnna])
      await page.locator('#tasks li', { hasText: '8,444,396 up to 150,000,000' }).waitFor()
    assert.equal(await bob.locator('#tasks li').count(), 0)
  })

  await t.test('a message reaches whom it is for, and the sender sees that it did', async () => {
    await say(bob, 'anna', 'lunch?')
    for (const page of [anna, alsoAnna])
      await page.locator('#messages li', { hasText: 'bob: lunch?' }).waitFor()
    assert.deepEqual(await messages(bob), ['you: lunch? (2 reached, 0 away)'])
    await say(anna, '', '<b>at one</b> ✓')
    await bob.locator('#messages li', { hasText: 'anna: <b>at one</b> ✓' }).waitFor()
    assert.equal((await messages(alsoAnna)).length, 1, 'a sender is left out')
  })

  await t.test('a cut connection comes back by itself, and nothing was missed', async () => {
    cable.cut()
    await anna.locator('#connection:not([data-state="connected"])').waitFor()
    for (const text of ['one', 'two', 'three']) await say(bob, 'anna', text)
    await shoot(anna, 'cut')
    assert.equal((await messages(anna)).length, 2)
    cable.mend()
    await connected(anna)
    await anna.locator('#messages li', { hasText: 'bob: three' }).waitFor()
    const heard = (await messages(anna)).filter((text) => text.startsWith('bob')).reverse()
    assert.deepEqual(heard, ['bob: lunch?', 'bob: one', 'bob: two', 'bob: three'])
    await shoot(anna, 'resumed')
  })

  await t.test(
    'a resident process killed in mid-task: the page comes back, the task runs to its end',
    async () => {
      await bob.getByLabel('Count the primes').fill('50000000')
      await bob.getByRole('button', { name: 'Start' }).click()
      await bob.locator('#tasks li[data-state="running"]').waitFor()
      await stage.residents[0].child.kill()
      await bob.locator('#connection:not([data-state="connected"])').waitFor()
      await connected(bob)
      await bob.locator('#tasks li', { hasText: '3,001,134 up to 50,000,000' }).waitFor()
    },
  )

  await t.test('while it is down the form says so', async () => {
    await stage.residents[0].stop()
    await bob.getByRole('button', { name: 'Start' }).click()
    await bob.locator('#task-failure', { hasText: 'the resident process does not answer' }).waitFor()
    stage.residents[0].begin()
    await askUntil(stage.sockets[0], { do: 'ping' }, ({ res }) => res === 'ok')
    await connected(bob)
  })

  await t.test('logging out closes the other browsers of that user too', async () => {
    await connected(alsoAnna)
    await anna.getByRole('button', { name: 'Log out' }).click()
    await anna.getByLabel('Name').waitFor()
    await alsoAnna.locator('#connection[data-state="logged out"]').waitFor()
    assert.equal((await ask(stage.sockets[0], { do: 'online', user: 'anna' })).online, false)
  })

  assert.deepEqual(errors, [])
})
