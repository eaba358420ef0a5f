// `framewire build-native` in copies of the package.
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { file, Process, temporaryFolder } from './harness.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** What an installed package has: no binding.gyp, the sources in native-src. */
function installed(): { folder: string; main: string } {
  execFileSync(process.execPath, [join(ROOT, 'scripts/native-sources.mjs')])
  const folder = join(temporaryFolder(), 'framewire')
  mkdirSync(folder)
  for (const name of ['package.json', 'dist', 'native-src']) {
    cpSync(join(ROOT, name), join(folder, name), { recursive: true })
  }
  mkdirSync(join(folder, 'node_modules'))
  for (const name of ['citty', 'node-gyp-build']) {
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name))
  }
  return { folder, main: join(folder, 'dist/esm/cli/main.js') }
}

const NODE_GYP = join(ROOT, 'node_modules/node-gyp/bin/node-gyp.js')

describe('framewire build-native', () => {
  test('compiles from what the tarball holds, and the package is native then', async () => {
    const { folder, main } = installed()
    const env = { ...process.env, npm_config_node_gyp: NODE_GYP, FRAMEWIRE_BACKEND: '' }
    const { code, stdout, stderr } = await new Process(process.execPath, [main, 'build-native', '--json'], {
      env,
    }).done
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const target = join(folder, 'build/Release/framewire.node')
    expect(JSON.parse(stdout)).toEqual({ ok: true, file: target, backend: 'native' })
    expect(readdirSync(join(folder, 'build/Release'))).toEqual(['framewire.node'])
    const doctor = await new Process(process.execPath, [main, 'doctor', '--json', '--native'], { env }).done
    expect(JSON.parse(doctor.stdout).backend).toMatchObject({ backend: 'native', binding: target })
  }, 180_000)

  test('says what is missing when the compiler is, and leaves nothing behind', async () => {
    const { folder, main } = installed()
    const tools = join(folder, 'tools')
    mkdirSync(tools)
    // What `python3` is may itself be a script that needs more of PATH.
    const python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' })
    const make = execFileSync('sh', ['-c', 'command -v make'], { encoding: 'utf8' })
    for (const [name, program] of Object.entries({ python3: python.trim(), make: make.trim() })) {
      chmodSync(file(tools, name, `#!/bin/sh\nexec ${program} "$@"\n`), 0o755)
    }
    chmodSync(file(tools, 'g++', '#!/bin/sh\necho "/bin/sh: 1: g++: not found" >&2\nexit 127\n'), 0o755)
    const env = { PATH: tools, HOME: folder, CXX: 'g++', CC: 'g++', npm_config_node_gyp: NODE_GYP }
    const { code, stdout, stderr } = await new Process(process.execPath, [main, 'build-native'], { env }).done
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('a C++ compiler was not found')
    expect(existsSync(join(folder, 'build'))).toBe(false)
  }, 60_000)
})
