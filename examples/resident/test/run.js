// Runs the test files one after the other, shows each test, and closes with 'N passed, N failed'.
import { readdirSync } from 'node:fs'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'

const FILE_LIMIT = 240_000

const folder = fileURLToPath(new URL('.', import.meta.url))
const wanted = process.argv.slice(2)
const files = readdirSync(folder)
  .filter(
    (file) =>
      file.endsWith('.test.js') && (wanted.length === 0 || wanted.some((word) => file.includes(word))),
  )
  .sort()
  .map((file) => folder + file)

const counts = { passed: 0, failed: 0 }
const tests = run({ files, concurrency: 1, timeout: FILE_LIMIT })
tests.on('test:pass', () => counts.passed++)
tests.on('test:fail', () => counts.failed++)
const report = tests.compose(new spec())
report.pipe(process.stdout)
report.on('end', () => {
  console.log(`${counts.passed} passed, ${counts.failed} failed`)
  process.exitCode = counts.failed > 0 || counts.passed === 0 ? 1 : 0
})
