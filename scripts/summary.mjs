// summary.mjs FOLDER: adds up the results that test runs left there and closes with 'N passed, N failed'. A `.json` is a
// report of vitest; a `.log` is what a runner printed, counted by its own last 'N passed, N failed' line. Exits 1 when a
// test failed, when a run left nothing to count, or when nothing ran at all.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = process.argv[2]

function fromVitest(text) {
  const report = JSON.parse(text)
  // A file that does not load has no test of its own in the counts.
  const broken = report.testResults.filter((f) => f.status === 'failed' && f.assertionResults.length === 0)
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

function fromLog(text) {
  const counts = [...text.matchAll(/^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm)].at(-1)
  if (!counts) return { passed: 0, failed: 1, skipped: 0, note: 'ended without a result' }
  return { passed: Number(counts[1]), failed: Number(counts[2]), skipped: Number(counts[3] ?? 0) }
}

const total = { passed: 0, failed: 0, skipped: 0 }
const files = existsSync(folder) ? readdirSync(folder).sort() : []
for (const file of files) {
  const text = readFileSync(join(folder, file), 'utf8')
  const result = file.endsWith('.json') ? fromVitest(text) : fromLog(text)
  for (const key of Object.keys(total)) total[key] += result[key]
  const { passed, failed, skipped, note = '' } = result
  console.log(`${file}: ${passed} passed, ${failed} failed, ${skipped} skipped ${note}`.trim())
}
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : ''
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`)
process.exit(total.failed > 0 || total.passed === 0 ? 1 : 0)
