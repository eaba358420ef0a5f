// Answers what asks for no measurement (`--help`, `--list`, an option nobody knows) at once, for which nothing is needed.
// Then makes what has to be there before the suite runs where it is missing: the package compiled, the bench's own
// dependencies, the C programs where a compiler is. Then it hands over. It imports nothing that may be missing.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { HELP as COMPARE_HELP, readOptions as readCompareOptions } from './lib/compare-options.mjs'
import { listing } from './lib/list.mjs'
import { HELP as RUN_HELP, readOptions, UsageError } from './lib/options.mjs'

const root = fileURLToPath(new URL('../', import.meta.url))
const at = (path) => `${root}${path}`
const [task, ...args] = process.argv.slice(2)
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'

const TASKS = {
  run: { help: RUN_HELP, read: readOptions },
  compare: { help: COMPARE_HELP, read: readCompareOptions },
}

/** Whether the command line was answered with words: nothing is left to measure. */
function isAnswered({ help, read }) {
  try {
    const options = read(args)
    if (!options.help && !options.list) return false
    process.stdout.write(options.help ? help : listing())
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`${error.message}\n\n${help}`)
    process.exitCode = 2
  }
  return true
}

/** Everything it prints goes to stderr: stdout belongs to the results. */
const run = (command, ...rest) => execFileSync(command, rest, { cwd: root, stdio: ['ignore', 2, 2] })

const older = (made, from) => !existsSync(made) || statSync(made).mtimeMs < statSync(from).mtimeMs

function prepare() {
  if (!existsSync(at('dist/esm/index.js'))) run(npm, 'run', 'build')
  if (older(at('bench/node_modules/.package-lock.json'), at('bench/package-lock.json'))) {
    run(npm, 'ci', '--prefix', 'bench', '--ignore-scripts', '--no-audit', '--no-fund')
  }
  const compiler = process.env.CC ?? 'cc'
  const canCompile = ['make', compiler].every((name) => spawnSync(name, ['--version']).status === 0)
  if (canCompile) run('make', '-s', '-C', 'bench/c')
  else
    process.stderr.write(
      'no C compiler: the generator is the package itself, and there is no C server to compare with\n',
    )
}

if (!isAnswered(TASKS[task])) {
  prepare()
  process.argv = [process.argv[0], at(`bench/${task}.mjs`), ...args]
  await import(`./${task}.mjs`)
}
