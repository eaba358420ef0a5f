/**
 * The module that `serve` runs: loads it and checks what it exports. Knows the shape of a handler module, not servers.
 */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
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
 * @throws {UsageError} the module exports no handler; what the module itself throws.
 */
export async function loadHandler(file: string): Promise<HandlerModule> {
  const module = (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>
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

function named(module: Record<string, unknown>): Record<string, unknown> {
  const { default: _, ...rest } = module
  return rest
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
