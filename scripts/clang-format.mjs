// Formats native/ in place; with --check it only tells. Needs clang-format (Debian: apt-get install clang-format).
import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../native/', import.meta.url))
const files = readdirSync(root, { recursive: true })
  .filter((name) => /\.(cc|hpp|h|c)$/.test(name) && !name.includes('vendor'))
  .map((name) => `${root}${name}`)

if (spawnSync('clang-format', ['--version']).error) {
  console.error('clang-format is not installed; native/ was not checked')
  process.exit(process.env.CI ? 1 : 0)
}
const flags = process.argv.includes('--check') ? ['--dry-run', '--Werror'] : ['-i']
if (files.length > 0) execFileSync('clang-format', [...flags, ...files], { stdio: 'inherit' })
