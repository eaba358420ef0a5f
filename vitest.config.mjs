import { defineConfig } from 'vitest/config'

// FRAMEWIRE_RESULTS names a file for a machine-readable report beside what is printed; .ci/run adds those up.
const report = process.env.FRAMEWIRE_RESULTS

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
    // Tests load the built package by its own name, as a user does.
    server: { deps: { external: [/\/dist\//] } },
  },
})
