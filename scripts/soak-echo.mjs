// Frames of 0 B to 1 MiB from a program in C, in random pieces, echoed and compared there byte for byte; on both backends,
// with a Buffer for each frame and with batches, each server in a process of its own whose peak memory is said.
//   npm run soak:echo -- [FRAMES] [SEED]
import { execFileSync, fork, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import os, { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { createServer } from 'framewire'

const MIB = 1024 * 1024
const SOURCE = fileURLToPath(new URL('../test/interop/echo.c', import.meta.url))
const COMPILER = process.env.CC ?? 'cc'

// --- the server's process

/** How the server takes its frames: by 'frame' and `send`, or by `onBatch` and `sendFrom`. */
const WAYS = {
  frames: (connection) => connection.on('frame', (payload) => connection.send(payload)),
  batches: (connection) =>
    connection.onBatch((batch) => {
      for (let i = 0; i < batch.length; i++) connection.sendFrom(batch, i)
    }),
}

async function serve({ backend, way, path }) {
  const server = createServer({ backend }, (connection) => {
    WAYS[way](connection)
    connection.on('error', (error) => process.send({ error: `${error.code}: ${error.message}` }))
    connection.on('end', () => connection.end())
  })
  process.on('message', () => process.send({ peak: process.resourceUsage().maxRSS * 1024 }))
  process.on('disconnect', () => process.exit())
  await server.listen(path)
  process.send({ backend: server.stats().backend })
}

// --- the other side

export const hasCompiler = () => spawnSync(COMPILER, ['--version']).status === 0

/** The client, compiled into `folder`. */
export function compile(folder) {
  const program = join(folder, 'echo')
  execFileSync(COMPILER, ['-O2', '-std=c11', '-Wall', '-Wextra', '-Werror', '-o', program, SOURCE], {
    stdio: ['ignore', 2, 2],
  })
  return program
}

/**
 * One conversation. Gives what the client counted, how long it ran and the server's peak memory.
 * @throws {Error} with what the client says when a byte is not the one that was sent, or is missing.
 */
export async function converse({ program, folder, backend, way, frames, seed }) {
  const path = join(folder, `${backend}-${way}.sock`)
  const setup = JSON.stringify({ backend, way, path })
  const server = fork(fileURLToPath(import.meta.url), ['--serve', setup], { execArgv: [] })
  const exit = once(server, 'exit')
  const errors = []
  server.on('message', ({ error }) => error && errors.push(error))
  try {
    await Promise.race([
      once(server, 'message'),
      exit.then(([code]) => fail(`the server ended with ${code}`)),
    ])
    const begun = performance.now()
    const client = spawn(program, [path, String(frames), String(seed)], { stdio: ['ignore', 'pipe', 'pipe'] })
    const [said, complaint, [code]] = await Promise.all([
      text(client.stdout),
      text(client.stderr),
      once(client, 'exit'),
    ])
    const seconds = (performance.now() - begun) / 1000
    if (code !== 0 || errors.length > 0) fail([complaint.trim(), ...errors].join('; '))
    server.send('peak')
    const [{ peak }] = await once(server, 'message')
    return { ...JSON.parse(said), seconds, peak }
  } finally {
    if (server.connected) server.disconnect()
    await exit
  }
}

function fail(why) {
  throw new Error(why)
}

async function main(frames, seed) {
  if (!(Number.isSafeInteger(frames) && frames > 0 && Number.isSafeInteger(seed))) {
    console.error('npm run soak:echo -- [FRAMES] [SEED]')
    return 2
  }
  if (!hasCompiler()) {
    console.error(`${COMPILER} is not there: the client is a program in C`)
    return 2
  }
  const folder = mkdtempSync(join(tmpdir(), 'fw-echo-'))
  let failed = 0
  console.log(`Node ${process.version}, ${os.cpus()[0]?.model}, seed ${seed}\n`)
  console.log('| backend | consumer | frames | bytes | writes, reads of the client | seconds | peak memory |')
  console.log('|---|---|---|---|---|---|---|')
  try {
    const program = compile(folder)
    for (const backend of ['native', 'js']) {
      for (const way of Object.keys(WAYS)) {
        try {
          const r = await converse({ program, folder, backend, way, frames, seed })
          console.log(
            `| ${backend} | ${way} | ${r.frames} | ${r.bytes} | ${r.writes}, ${r.reads} | ${r.seconds.toFixed(1)} | ${(r.peak / MIB).toFixed(0)} MiB |`,
          )
        } catch (error) {
          failed++
          console.log(`| ${backend} | ${way} | FAILED: ${error.message} | | | | |`)
        }
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return failed === 0 ? 0 : 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv[2] === '--serve') await serve(JSON.parse(process.argv[3]))
  else process.exitCode = await main(Number(process.argv[2] ?? 100_000), Number(process.argv[3] ?? 1))
}
