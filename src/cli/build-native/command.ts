/** `framewire build-native`: compiles on purpose, and shows that the result loads. */
import { spawnSync } from 'node:child_process'
import { command } from '../command.js'
import { EXIT } from '../exit.js'
import { JSON_FLAG } from '../flags.js'
import { packageRoot } from '../package.js'
import { BuildError, buildNative } from './build.js'

const ARGS = {
  verbose: { type: 'boolean', description: 'Show what the compiler prints, also when it goes well' },
  ...JSON_FLAG,
} as const

export default command({
  name: 'build-native',
  description: 'Compile the native addon for this platform',
  args: ARGS,
  rest: true,
  examples: [
    ['npx framewire build-native', 'Where there is no prebuild: needs Python 3, make and a C++17 compiler'],
    ['npx framewire build-native --verbose -- --debug', 'Words behind -- go to node-gyp'],
    [
      'FRAMEWIRE_NODE_HEADERS=/usr npx framewire build-native',
      "With Node's headers from /usr/include/node, without network",
    ],
  ],
  async run(args, terminal) {
    const verbose = args.verbose === true
    const json = args.json === true
    terminal.progress(0, 'compiling')
    try {
      const file = await buildNative({
        packageRoot: packageRoot(),
        flags: args._,
        onOutput: (text) => (verbose ? terminal.note(text.trimEnd()) : undefined),
      })
      const backend = probe()
      terminal.clearProgress()
      if (json) terminal.json({ ok: backend === 'native', file, backend })
      else terminal.line(`${file}\nthe package now uses the ${backend} backend`)
      return backend === 'native' ? EXIT.OK : EXIT.FAILED
    } catch (error) {
      if (!(error instanceof BuildError)) throw error
      if (json) terminal.json({ ok: false, message: error.message })
      else {
        if (!verbose && error.output !== '')
          terminal.note(error.output.trimEnd().split('\n').slice(-30).join('\n'))
        terminal.note(`framewire: ${error.message}`)
      }
      return EXIT.FAILED
    }
  },
})

/** In a process of its own: this one may have loaded, or failed to load, the file that was there before. */
function probe(): string {
  const entry = new URL('../../index.js', import.meta.url).href
  const code = `import { backendInfo } from ${JSON.stringify(entry)}; process.stdout.write(backendInfo().backend)`
  const { FRAMEWIRE_BACKEND: _, ...env } = process.env
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    encoding: 'utf8',
    env,
  })
  if (status !== 0) throw new BuildError('the addon was compiled, but does not load', stderr)
  return stdout
}
