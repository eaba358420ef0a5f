/**
 * The module that `serve` runs: loads it and checks what it exports. Knows the shape of a handler module, not servers.
 */
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { RequestHandler, ServerOptions } from '../../server/index.js'
import { UsageError } from '../exit.js'

type AnyServerOptions = ServerOptions<never, unknown>

/** What a handler module may export. */
export interface HandlerModule {
  /** Answers a request. The default export, or one named `onRequest`. */
  readonly onRequest: RequestHandler<never, unknown> | undefined
  /** Options for `createServer`; flags come before them. */
  readonly options: AnyServerOptions
  /** Called when the server has drained, before the process ends. */
  readonly close: (() => unknown) | undefined
}

/**
 * @throws {UsageError} the module exports no handler; what the module itself throws; where it is no JavaScript, file and line.
 */
export async function loadHandler(file: string): Promise<HandlerModule> {
  const module = await load(file)
  // A CommonJS module is its default export.
  const exported = isObject(module.default) ? { ...module.default, ...named(module) } : module
  const options = (exported.options ?? {}) as AnyServerOptions
  if (!isObject(options)) throw new UsageError(`${file}: options must be an object`)
  const onRequest = exported.onRequest ?? exported.default ?? options.onRequest
  const { close } = exported
  if (onRequest !== undefined && typeof onRequest !== 'function') {
    throw new UsageError(`${file}: the default export must be a function (payload, ctx) => reply`)
  }
  if (onRequest === undefined && options.exchange !== 'once') {
    throw new UsageError(`${file} exports no handler: export default (payload, ctx) => reply`)
  }
  if (close !== undefined && typeof close !== 'function')
    throw new UsageError(`${file}: close must be a function`)
  return {
    onRequest: onRequest as RequestHandler<never, unknown> | undefined,
    options,
    close: close as (() => unknown) | undefined,
  }
}

async function load(file: string): Promise<Record<string, unknown>> {
  const url = pathToFileURL(resolve(file)).href
  try {
    return await import(url)
  } catch (error) {
    // One that the module throws while it runs has its place in the stack.
    if (!(error instanceof SyntaxError) || error.stack?.includes(`at ${url}`)) throw error
    const place = placeIn(error.stack) ?? placeIn(checked(file)) ?? `${file}, or what it imports`
    const told = new Error(`${place}: ${error.message}`)
    // Ours leads nowhere, and workers show it.
    told.stack = told.message
    throw told
  }
}

/** What Node says of the file's syntax. Of ES modules an error that is caught does not know the line. */
function checked(file: string): string {
  return spawnSync(process.execPath, ['--check', file], { encoding: 'utf8' }).stderr
}

/** `FILE:LINE`, which Node puts in front of what is wrong with a source. */
function placeIn(text = ''): string | undefined {
  const [, file, line] = /^(\S.*):(\d+)\r?\n/.exec(text) ?? []
  if (file === undefined) return undefined
  return `${file.startsWith('file:') ? fileURLToPath(file) : file}:${line}`
}

function named(module: Record<string, unknown>): Record<string, unknown> {
  const { default: _, ...rest } = module
  return rest
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
