// Stands in for vitest where vitest does not start, its bundler being a binary that does not load there: vitest's own runner
// and matchers without the rest, bundled together with the tests. Knows how tests are run and counted, not what they test.

import { appendFileSync } from 'node:fs'
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
} from '@vitest/expect'
import { describe, it, onTestFinished, startTests } from '@vitest/runner'
import { restoreAllMocks, spyOn } from '@vitest/spy'
import * as chai from 'chai'

export { describe, it, onTestFinished }
export const vi = { restoreAllMocks, spyOn }
export const expect = (value, message) => chai.expect(value, message)

for (const plugin of [JestExtend, JestChaiExpect, JestAsymmetricMatchers]) chai.use(plugin)
Object.assign(expect, chai.expect, globalThis[ASYMMETRIC_MATCHERS_OBJECT])

const CONFIG = {
  root: '/',
  setupFiles: [],
  sequence: { seed: 1, hooks: 'stack', setupFiles: 'list' },
  maxConcurrency: 1,
  testTimeout: 30_000,
  hookTimeout: 30_000,
  retry: 0,
  tags: [],
}

const words = ({ name, suite }) => (suite?.name ? `${words(suite)} > ${name}` : name)

/** Runs what `declare` declares, but for the tests named in `left`; failures go to the file `log`, whose last line counts. */
export async function runSuite(declare, log, left = []) {
  const count = { pass: 0, fail: 0, skip: 0 }
  const say = (line) => appendFileSync(log, `${line}\n`)
  await startTests(['suite'], {
    config: CONFIG,
    importFile: (_path, source) => (source === 'collect' ? declare() : undefined),
    onBeforeRunTask(test) {
      if (!left.includes(test.name)) return
      test.mode = 'skip'
      count.skip++
    },
    onAfterRunTask(test) {
      const { state } = test.result
      if (test.mode !== 'skip') count[state]++
      const why = test.result?.errors?.[0]
      if (state === 'fail') say(`FAILED ${words(test)}\n       ${why?.stack ?? why?.message}`)
    },
  })
  say(`${count.pass} passed, ${count.fail} failed, ${count.skip} skipped`)
}
