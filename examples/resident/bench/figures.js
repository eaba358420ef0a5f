#!/usr/bin/env node
// Figures: what an exchange adds to a PHP page, pushes to a thousand browsers, tasks accepted. Prints a Markdown table.
import { randomUUID } from 'node:crypto'
import { Agent, get } from 'node:http'
import { cpus, loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { request } from 'framewire'
import { build } from 'hdr-histogram-js'
import { Stage } from '../launcher/stage.js'
import { Viewer } from '../test/support/viewer.js'

const tasks = fileURLToPath(new URL('../tasks.js', import.meta.url))
const PAGES = 3000
const BROWSERS = 1000
const SECONDS = 4
const AT_ONCE = 16

const ask = async (path, message) => JSON.parse((await request({ path }, JSON.stringify(message))).toString())
const perSecond = (count, started) => count / ((performance.now() - started) / 1000)

const fetchPage = (url, agent) =>
  new Promise((resolve, reject) => {
    const started = process.hrtime.bigint()
    get(url, { agent }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${url}: ${response.statusCode}`))
      response.resume().on('end', () => resolve(Number(process.hrtime.bigint() - started) / 1000))
    }).on('error', reject)
  })

/** Both pages by turns, so that what else the machine does meets both. */
async function pageLatency() {
  const stage = await new Stage().start()
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const pages = { nothing: build(), once: build() }
  for (let i = -200; i < PAGES; i++)
    for (const [name, histogram] of Object.entries(pages)) {
      const us = await fetchPage(`${stage.url}/${name}.php`, agent)
      if (i >= 0) histogram.recordValue(Math.round(us))
    }
  agent.destroy()
  await stage.stop()
  const at = (percentile) =>
    Object.values(pages).map((histogram) => histogram.getValueAtPercentile(percentile) / 1000)
  return [50, 99].map((percentile) => [percentile, ...at(percentile)])
}

/** As many exchanges a second as go, `AT_ONCE` at a time. @param {() => object} message */
async function exchangesPerSecond(sockets, message) {
  let count = 0
  const started = performance.now()
  const worker = async (path) => {
    while (performance.now() - started < SECONDS * 1000) {
      const reply = await ask(path, message())
      if (reply.res !== 'ok') throw new Error(reply.msg)
      count++
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => worker(sockets[i % sockets.length])))
  return perSecond(count, started)
}

async function connectBrowsers(stage) {
  const viewers = []
  for (let i = 0; i < BROWSERS; i++) {
    const token = randomUUID()
    await ask(stage.sockets[0], { do: 'token', token, user: `user-${i}`, expiresIn: 3600_000 })
    const viewer = new Viewer(stage.doors[i % stage.doors.length], stage.url, { token })
    await viewer.welcomed()
    viewers.push(viewer)
  }
  return viewers
}

async function pushes(how) {
  const stage = await new Stage({ ...how, web: false }).start()
  const viewers = await connectBrowsers(stage)
  let received = 0
  for (const { ws } of viewers) ws.removeAllListeners('message').on('message', () => received++)
  const all = viewers.map(
    ({ ws }) =>
      new Promise((resolve) => ws.on('message', (data) => String(data).includes('"end"') && resolve())),
  )
  const data = { text: 'x'.repeat(100) }
  let next = 0
  const toUser = await exchangesPerSecond(stage.sockets, () => ({
    do: 'toUser',
    user: `user-${next++ % BROWSERS}`,
    type: 'n',
    data,
  }))
  received = 0
  const count = 300
  const started = performance.now()
  for (let i = 0; i < count; i++)
    await ask(stage.sockets[0], { do: 'toAll', type: i === count - 1 ? 'end' : 'n', data })
  await Promise.all(all)
  const toAll = perSecond(count, started)
  if (received !== count * BROWSERS) throw new Error(`${received} of ${count * BROWSERS} received`)
  for (const viewer of viewers) viewer.close()
  await stage.stop()
  return { toUser, toAll }
}

async function tasksAccepted(how) {
  const stage = await new Stage({ ...how, tasks, web: false, args: ['--max-queued', '1000000'] }).start()
  const message = { do: 'task', name: 'primes', data: { upTo: 1000 }, delay: 3600_000 }
  const rate = await exchangesPerSecond(stage.sockets, () => message)
  await stage.stop()
  return rate
}

const load = loadavg()[0].toFixed(1)
const nats = { nats: true, residents: 2 }
const whole = (number) => Math.round(number).toLocaleString('en')
const rows = []
for (const [percentile, nothing, once] of await pageLatency())
  rows.push([
    `PHP page that does nothing / with one exchange / added, p${percentile}`,
    `${nothing.toFixed(2)} / ${once.toFixed(2)} / ${(once - nothing).toFixed(2)} ms`,
  ])
for (const [name, how] of [
  ['SQLite, one process', {}],
  ['NATS, two processes', nats],
]) {
  const { toUser, toAll } = await pushes(how)
  rows.push([`pushes to one user with ${whole(BROWSERS)} browsers connected, ${name}`, `${whole(toUser)}/s`])
  rows.push([
    `pushes to all ${whole(BROWSERS)} browsers, ${name}`,
    `${whole(toAll)}/s, ${whole(toAll * BROWSERS)} deliveries/s`,
  ])
  rows.push([`tasks accepted, ${name}`, `${whole(await tasksAccepted(how))}/s`])
}
console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0].model}, load before ${load}\n`)
console.log('| what | figure |\n|---|---|')
for (const row of rows) console.log(`| ${row.join(' | ')} |`)
