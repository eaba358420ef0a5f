/** Where this package lies and what version it is. Knows its manifest. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The package's folder. */
export function packageRoot(): string {
  return fileURLToPath(new URL('../../../', import.meta.url))
}

export function packageVersion(): string {
  const manifest = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
