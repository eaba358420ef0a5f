/**
 * One subcommand: its arguments, checked, its help with examples, and what it does. Stands on citty for parsing and
 * layout; adds what citty lets pass (unknown flags, flags without their value, surplus words).
 */
import { stripVTControlCharacters } from 'node:util'
import { type ArgsDef, type ParsedArgs, parseArgs, renderUsage } from 'citty'
import { UsageError } from './exit.js'
import type { Terminal } from './terminal.js'

export interface CommandSpec<T extends ArgsDef> {
  readonly name: string
  readonly description: string
  readonly args: T
  /** A line of shell, and what it is for. */
  readonly examples: readonly (readonly [line: string, purpose: string])[]
  /** More words than the named ones are taken. */
  readonly rest?: boolean
  /** Returns the exit code. */
  run(args: ParsedArgs<T>, terminal: Terminal): Promise<number>
}

export interface Command {
  readonly description: string
  help(): Promise<string>
  run(rawArgs: readonly string[], terminal: Terminal): Promise<number>
}

export function command<const T extends ArgsDef>(spec: CommandSpec<T>): Command {
  return {
    description: spec.description,
    help: () => help(spec),
    run: (rawArgs, terminal) => spec.run(parse(spec, rawArgs), terminal),
  }
}

async function help<T extends ArgsDef>(spec: CommandSpec<T>): Promise<string> {
  const { name, description, args, examples } = spec
  const usage = await renderUsage({ meta: { name: `framewire ${name}`, description }, args })
  const lines = examples.flatMap(([line, purpose]) => [`  # ${purpose}`, `  ${line}`, ''])
  return `${usage.trimEnd()}\n\nEXAMPLES\n\n${lines.join('\n').trimEnd()}`
}

function parse<T extends ArgsDef>(spec: CommandSpec<T>, rawArgs: readonly string[]): ParsedArgs<T> {
  checkValues(spec.args, rawArgs)
  const args = parseOrRefuse(spec.args, rawArgs)
  const words = Object.values(spec.args).filter((arg) => arg.type === 'positional').length
  if (spec.rest !== true && args._.length > words)
    throw new UsageError(`unexpected argument ${args._[words]}`)
  return args
}

function parseOrRefuse<T extends ArgsDef>(defs: T, rawArgs: readonly string[]): ParsedArgs<T> {
  try {
    return parseArgs<T>([...rawArgs], defs)
  } catch (error) {
    // Nothing but wrong arguments makes it throw. It colours by rules of its own.
    throw new UsageError(stripVTControlCharacters((error as Error).message))
  }
}

/** citty takes any flag, and an empty string for a value that is not there. */
function checkValues(defs: ArgsDef, rawArgs: readonly string[]): void {
  for (let i = 0; i < rawArgs.length; i++) {
    const word = rawArgs[i]
    if (word === '--') return
    if (!word.startsWith('-') || word === '-') continue
    const [flag, inline] = splitFlag(word)
    const def = definition(defs, flag)
    if (def === undefined) throw new UsageError(`unknown option ${flag}`)
    if (def.type === 'boolean' || inline !== undefined) continue
    i++
    if (i === rawArgs.length) throw new UsageError(`${flag} needs a value`)
  }
}

function splitFlag(word: string): [flag: string, inline: string | undefined] {
  const equals = word.indexOf('=')
  return equals < 0 ? [word, undefined] : [word.slice(0, equals), word.slice(equals + 1)]
}

function definition(defs: ArgsDef, flag: string): ArgsDef[string] | undefined {
  const name = flag.replace(/^--?/, '')
  for (const [key, def] of Object.entries(defs)) {
    if (def.type === 'positional') continue
    if (name === key && flag.startsWith('--')) return def
    if (def.type === 'boolean' && `no-${key}` === name) return def
  }
  return undefined
}
