// What the figures were measured on, as every report says it.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'

const root = new URL('../../', import.meta.url)

function revision() {
  try {
    const git = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: 'pipe' }).trim()
    const changed = git('status', '--porcelain', '--', 'src', 'native') ? '+' : ''
    return git('rev-parse', '--short', 'HEAD') + changed
  } catch {
    return 'unknown'
  }
}

export function machine(backend) {
  const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))
  return {
    package: `framewire ${version} (${revision()})`,
    node: process.version,
    system: `${process.platform} ${release()} ${process.arch}`,
    cpu: `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    backend: `${backend.backend}: ${backend.reason}`,
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
  }
}
