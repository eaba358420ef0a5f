// browser.mjs PLAYWRIGHT CHROMIUM: the codec in a page, straight from the package's files, fed from a fetched stream that
// comes in pieces cut where no frame ends.
import { once } from 'node:events'
import { createReadStream, readFileSync } from 'node:fs'
import http from 'node:http'
import { dirname, join, normalize } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { encodeFrame } from 'framewire/codec'

const [playwright, executablePath] = process.argv.slice(2)
const { chromium } = await import(pathToFileURL(playwright))
const dist = dirname(dirname(fileURLToPath(import.meta.resolve('framewire/codec'))))
const page = readFileSync(new URL('./page.html', import.meta.url))
const FRAMES = 500
const wire = Buffer.concat(
  Array.from({ length: FRAMES }, (_, i) => encodeFrame(`${'ü'.repeat(i)}${i}`, 'varint')),
)

function* pieces() {
  for (let at = 0; at < wire.length; at += 777) yield wire.subarray(at, at + 777)
}

const server = http.createServer(({ url }, response) => {
  if (url === '/frames') return Readable.from(pieces()).pipe(response)
  if (!url.startsWith('/framewire/')) return response.setHeader('content-type', 'text/html').end(page)
  response.setHeader('content-type', 'text/javascript')
  const file = createReadStream(join(dist, normalize(url.slice('/framewire'.length))))
  file.on('error', () => response.writeHead(404).end()).pipe(response)
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')

const browser = await chromium.launch({
  executablePath,
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--disable-background-networking',
    '--disable-sync',
  ],
})
try {
  const tab = await browser.newPage()
  const errors = []
  tab.on('pageerror', (error) => errors.push(error.message))
  tab.on('response', (response) => {
    if (response.status() >= 400 && !response.url().endsWith('favicon.ico')) errors.push(response.url())
  })
  await tab.goto(`http://127.0.0.1:${server.address().port}/`)
  await tab
    .waitForFunction(() => document.title.includes('characters'), undefined, { timeout: 15_000 })
    .catch((error) => {
      throw new Error(`${error.message} ${errors.join(' ')}`)
    })
  const title = await tab.title()
  const last = `${'ü'.repeat(FRAMES - 1)}${FRAMES - 1}`
  if (!title.startsWith(`${FRAMES} frames`) || !title.endsWith(last)) throw new Error(`${title}`)
  console.log(JSON.stringify({ frames: FRAMES, chromium: browser.version() }))
} finally {
  await browser.close()
  server.close()
}
