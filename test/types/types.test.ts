import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const node16 = ['--module', 'node16', '--moduleResolution', 'node16']

it.each([
  ['nodenext, ESM and CommonJS', 'tsconfig.json', []],
  ['node16, ESM and CommonJS', 'tsconfig.json', node16],
  ['a bundler', 'tsconfig.bundler.json', []],
  [
    'the strictest options, and libraries checked,',
    'tsconfig.json',
    ['--exactOptionalPropertyTypes', '--skipLibCheck', 'false'],
  ],
])(
  'compiles the programs that use the published types as %s resolves them',
  (_name, file, more) => {
    const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
    const project = fileURLToPath(new URL(file, import.meta.url))
    const { status, stdout } = spawnSync(
      process.execPath,
      [tsc, '-p', project, '--pretty', 'false', ...more],
      {
        encoding: 'utf8',
      },
    )
    expect(stdout).toBe('')
    expect(status).toBe(0)
  },
  60_000,
)
