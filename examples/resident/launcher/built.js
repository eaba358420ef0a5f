// In a fresh checkout the package this example belongs to has not been built yet: does that, once.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

if (!existsSync(fileURLToPath(import.meta.resolve('framewire')))) {
  console.log('building framewire, a minute or two')
  const root = fileURLToPath(new URL('../../..', import.meta.url))
  // npm tells its children what it was told itself, the example's --ignore-scripts too.
  const env = { ...process.env, npm_config_ignore_scripts: 'false' }
  execFileSync('npm', ['ci', '--prefix', root], { stdio: 'inherit', cwd: root, env })
}
