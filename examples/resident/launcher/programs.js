// Where Debian puts the programs this needs, and which package brings them.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const FOLDERS = ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin']
const PROGRAMS = {
  nginx: { pattern: /^nginx$/, from: 'nginx-light' },
  'php-fpm': { pattern: /^php-fpm[\d.]*$/, from: 'php-fpm' },
  php: { pattern: /^php$/, from: 'php-cli' },
  'nats-server': { pattern: /^nats-server$/, from: 'nats-server' },
  chromium: { pattern: /^chromium$/, from: 'chromium' },
  setpriv: { pattern: /^setpriv$/, from: 'util-linux' },
}

/** @param {keyof typeof PROGRAMS} name  @returns {string} */
export function program(name) {
  const { pattern, from } = PROGRAMS[name]
  for (const folder of FOLDERS.filter(existsSync)) {
    const found = readdirSync(folder).find((file) => pattern.test(file))
    if (found) return join(folder, found)
  }
  throw new Error(`${name} is not installed: apt-get install ${from}`)
}
