// A revision of the package built in a temporary work tree, so that two can be measured beside each other. It knows
// git and npm, not what is measured.
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))
const git = (...args) =>
  execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 2] }).trim()

/** Dependencies are this checkout's own when the lock is the same, which it nearly always is. */
function install(folder, say) {
  const lock = (at) => git('hash-object', join(at, 'package-lock.json'))
  if (existsSync(join(root, 'node_modules')) && lock(root) === lock(folder)) {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    return
  }
  say('npm ci')
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: folder,
    stdio: ['ignore', 2, 2],
  })
}

function compile(folder, say) {
  const script = (name) =>
    execFileSync(process.execPath, [join('scripts', name)], { cwd: folder, stdio: 'pipe' })
  say('compiling')
  script('build.mjs')
  try {
    script('build-native.mjs')
    return true
  } catch (error) {
    say(`the addon does not compile: ${`${error.stderr}`.trim().split('\n').slice(-3).join(' ')}`)
    return false
  }
}

/** Builds `name` ('.' is what is checked out here, with its changes). */
export function build(name, log) {
  const say = (text) => log(`${name}: ${text}`)
  const folder = mkdtempSync(join(tmpdir(), 'framewire-revision-'))
  const entry = join(folder, 'dist/esm/index.js')
  if (name === '.') {
    for (const part of ['package.json', 'package-lock.json', 'binding.gyp', 'src', 'native', 'scripts']) {
      cpSync(join(root, part), join(folder, part), { recursive: true })
    }
    for (const part of ['tsconfig.json', 'tsconfig.cjs.json']) cpSync(join(root, part), join(folder, part))
  } else {
    const commit = git('rev-parse', '--verify', `${name}^{commit}`)
    git('worktree', 'add', '--detach', '--force', folder, commit)
  }
  const remove = () => {
    if (name !== '.') git('worktree', 'remove', '--force', folder)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    install(folder, say)
    return { name, entry, native: compile(folder, say), remove }
  } catch (error) {
    remove()
    throw error
  }
}
