// A registry of npm on the loopback interface, for as long as a check runs. It has what is published to it and nothing
// else: what an install asks for besides is not there, and that is an error worth seeing.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { tool } from './tools.mjs'

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/** Starts one that keeps its files in `folder`. Gives back its address, an npmrc for it, and how to stop it. */
export async function startRegistry(folder) {
  mkdirSync(folder, { recursive: true })
  const port = await freePort()
  const config = join(folder, 'config.yaml')
  writeFileSync(
    config,
    [
      `storage: ${join(folder, 'storage')}`,
      'uplinks: {}',
      'packages:',
      "  '**': { access: $all, publish: $anonymous $all, unpublish: $all }",
      'web: { enable: false }',
      'log: { type: stdout, format: json, level: http }',
      'max_body_size: 20mb',
      `auth: { htpasswd: { file: ${join(folder, 'htpasswd')} } }`,
    ].join('\n'),
  )
  const url = `http://127.0.0.1:${port}/`
  const [node, verdaccio] = await Promise.all([tool('node22'), tool('verdaccio')])
  const child = spawn(node, [verdaccio, '--config', config, '--listen', url], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  const ready = new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        said += text
        if (said.includes('http address')) resolve()
      })
    }
    child.once('exit', (code) => reject(new Error(`the registry ended with ${code}: ${said}`)))
  })
  await ready
  return {
    url,
    /** npm wants to see a token before it publishes; this registry asks for none. */
    npmrc: `registry=${url}\n//127.0.0.1:${port}/:_authToken=none\nfund=false\naudit=false\nupdate-notifier=false\n`,
    async stop() {
      child.kill()
      await once(child, 'exit')
    },
  }
}
