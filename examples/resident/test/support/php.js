// Runs a PHP script of the tests and reads what it prints as JSON.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { program } from '../../launcher/programs.js'

const script = (name) => fileURLToPath(new URL(`../php/${name}.php`, import.meta.url))

/** @returns {Promise<any>} */
export async function php(name, ...args) {
  const { stdout, stderr } = await promisify(execFile)(program('php'), [script(name), ...args], {
    timeout: 20_000,
  })
  if (stderr) throw new Error(stderr)
  return JSON.parse(stdout)
}

/** A script that serves until its work is done. @returns its process, and when it has ended */
export function phpServer(name, ...args) {
  const server = spawn(program('php'), [script(name), ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  return { server, ended: once(server, 'exit') }
}
