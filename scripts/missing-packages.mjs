// Prints the Debian packages of a list (`NAME  # why` a line) that are not installed.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const names = readFileSync(process.argv[2], 'utf8')
  .split('\n')
  .map((line) => line.replace(/#.*/, '').trim())
  .filter(Boolean)

const isInstalled = (name) => {
  const { stdout } = spawnSync('dpkg-query', ['--status', name], { encoding: 'utf8' })
  return stdout?.includes('Status: install ok installed') ?? false
}
console.log(names.filter((name) => !isInstalled(name)).join(' '))
