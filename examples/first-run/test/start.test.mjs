// The whole program, as `npm start` runs it, on each backend that is there.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../start.mjs', import.meta.url))

async function start(env) {
  const child = spawn(process.execPath, [program], {
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  return { code, stdout, stderr }
}

const LABELS = [
  'node:net with setTimeout',
  "framewire, exchange: 'once'",
  'node:net, unframed bytes',
  'node:net, Buffer.concat decoder',
  'framewire, onBatch',
]

for (const [backend, env] of [
  ['the one that is there', {}],
  ['js', { FRAMEWIRE_BACKEND: 'js' }],
]) {
  test(`it ends by itself with a figure for every party (backend: ${backend})`, {
    timeout: 60_000,
  }, async () => {
    const { code, stdout, stderr } = await start(env)
    assert.equal(code, 0, stderr)
    for (const label of LABELS) {
      const line = stdout.split('\n').find((one) => one.includes(label))
      assert.match(line ?? '', /\d [kM]\/s/, `${label}: ${stdout}`)
    }
    if (backend === 'js') assert.match(stdout, /on the js backend.*\n.*framewire doctor/)
    assert.match(stdout, /\b(1 core|[02-9] cores|\d\d+ cores)\n/)
    assert.match(stdout, /Medians of \d interleaved rounds/)
    // Steps go elsewhere, so that the results can be piped.
    assert.match(stderr, /round 1 of 3/)
  })
}
