#!/usr/bin/env node
/** The `framewire` command: finds the subcommand, and turns what comes out of it into an exit code. */
import { stripVTControlCharacters } from 'node:util'
import { renderUsage } from 'citty'
import type { Command } from './command.js'
import { describeError, EXIT, exitCodeOf, UsageError } from './exit.js'
import { packageVersion } from './package.js'
import { Terminal } from './terminal.js'

/** Loaded when asked for: `doctor` must run where a server would not. */
const COMMANDS: Readonly<Record<string, () => Promise<{ readonly default: Command }>>> = {
  serve: () => import('./serve/command.js'),
  send: () => import('./send/command.js'),
  tap: () => import('./tap/command.js'),
  doctor: () => import('./doctor/command.js'),
  'build-native': () => import('./build-native/command.js'),
}

async function overview(): Promise<string> {
  const subCommands: Record<string, { meta: { description: string } }> = {}
  for (const [name, load] of Object.entries(COMMANDS)) {
    subCommands[name] = { meta: { description: (await load()).default.description } }
  }
  const description = 'Length-prefixed messages over unix sockets and TCP'
  return renderUsage({ meta: { name: 'framewire', version: packageVersion(), description }, subCommands })
}

const HELP = new Set(['--help', '-h'])

async function main(rawArgs: readonly string[], terminal: Terminal): Promise<number> {
  const [name, ...rest] = rawArgs
  if (name === undefined || HELP.has(name) || name === 'help') {
    terminal.line(plain(await overview()))
    return name === undefined ? EXIT.USAGE : EXIT.OK
  }
  if (name === '--version' || name === '-v') {
    terminal.line(packageVersion())
    return EXIT.OK
  }
  if (!Object.hasOwn(COMMANDS, name)) throw new UsageError(`unknown command ${name}`)
  outliveReaders(name === 'serve')
  const { default: command } = await COMMANDS[name]()
  const end = rest.indexOf('--')
  if ((end < 0 ? rest : rest.slice(0, end)).some((word) => HELP.has(word))) {
    terminal.line(plain(await command.help()))
    return EXIT.OK
  }
  return command.run(rest, terminal)
}

/**
 * Who reads our output may go first (`| head`). A server goes on without them; everything else is done then.
 */
function outliveReaders(goesOn: boolean): void {
  const onError = (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    if (!goesOn) process.exit(EXIT.OK)
  }
  process.stdout.on('error', onError)
  process.stderr.on('error', onError)
}

/** citty colours by rules of its own, and fills its columns up. */
function plain(usage: string): string {
  return stripVTControlCharacters(usage).replace(/ +$/gm, '')
}

const terminal = new Terminal()
try {
  process.exitCode = await main(process.argv.slice(2), terminal)
} catch (error) {
  process.exitCode = exitCodeOf(error)
  terminal.note(`framewire: ${describeError(error)}`)
  if (error instanceof UsageError) terminal.note('framewire --help shows how it is used')
}
