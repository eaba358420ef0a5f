/**
 * Options that servers, clients and wrapped streams share: their defaults and their validation. Knows types and
 * ranges, not what an option does.
 */
import { argumentError, optionError } from './errors.js'
import {
  type CompiledFormat,
  type FormatPreset,
  type FrameFormat,
  resolveFormat,
  resolveMaxFrameLength,
} from './format.js'

/** Framing, limits and deadlines. Times are whole milliseconds, 0 = off, all absolute: bytes that drip in do not extend them. */
export interface ChannelOptions {
  /** How frames lie on the wire: a format or the name of a preset. Default `'uint32be'`. */
  readonly format?: FrameFormat | FormatPreset
  /** Bytes of payload, both directions. Default 16 MiB; `Infinity` must be written out. */
  readonly maxFrameLength?: number
  /** Bytes held in partial, waiting and queued frames and in requests at work, over all connections of the server or client. Default 256 MiB. */
  readonly memoryBudget?: number
  /** Queued bytes of one connection from which `send` returns false. Default 256 KiB. */
  readonly highWaterMark?: number
  /** From the connection's start to its first byte. Default 0. */
  readonly firstByteTimeout?: number
  /** First to last byte of a header; with `exchange: 'once'` from accept on. Default 30,000 for servers, 1,000 for `'once'`, 0 for clients. */
  readonly headerTimeout?: number
  /** End of the header to the last byte of the frame. Default 120,000 for servers, 1,000 for `'once'`, 0 for clients. */
  readonly bodyTimeout?: number
  /** On a frame boundary with nothing queued, since the last byte in either direction. Default 0. */
  readonly idleTimeout?: number
  /** Since the oldest byte that is still queued was queued. Default 60,000 for servers, 10,000 for `'once'`, 0 for clients. */
  readonly writeTimeout?: number
  /** TCP_NODELAY. Default true. */
  readonly noDelay?: boolean
  /** SO_KEEPALIVE. Default false. */
  readonly keepAlive?: boolean
}

/** {@link ChannelOptions} with every value in place, as the transports take them. */
export interface ResolvedChannelOptions {
  readonly format: CompiledFormat
  readonly maxFrameLength: number
  readonly memoryBudget: number
  readonly highWaterMark: number
  readonly firstByteTimeout: number
  readonly headerTimeout: number
  readonly headerFromAccept: boolean
  readonly bodyTimeout: number
  readonly idleTimeout: number
  readonly writeTimeout: number
  readonly noDelay: boolean
  readonly keepAlive: boolean
}

/** The defaults that differ by use. */
export interface ChannelDefaults {
  readonly headerTimeout: number
  readonly bodyTimeout: number
  readonly writeTimeout: number
  readonly headerFromAccept: boolean
}

/** Connections that live and carry many frames. */
export const STREAM_SERVER_DEFAULTS: ChannelDefaults = Object.freeze({
  headerTimeout: 30_000,
  bodyTimeout: 120_000,
  writeTimeout: 60_000,
  headerFromAccept: false,
})

/** One frame each way: a second for the header from accept on, a second for the body. */
export const ONCE_SERVER_DEFAULTS: ChannelDefaults = Object.freeze({
  headerTimeout: 1000,
  bodyTimeout: 1000,
  writeTimeout: 10_000,
  headerFromAccept: true,
})

/** A client waits as long as its own timeouts say. */
export const CLIENT_DEFAULTS: ChannelDefaults = Object.freeze({
  headerTimeout: 0,
  bodyTimeout: 0,
  writeTimeout: 0,
  headerFromAccept: false,
})

const DEFAULT_MEMORY_BUDGET = 256 * 1024 * 1024
const DEFAULT_HIGH_WATER_MARK = 256 * 1024

/** What a timer takes: 2^31 - 1 ms, almost 25 days. */
const MAX_MS = 2 ** 31 - 1

/**
 * Validates what is given and fills in what is not.
 * @throws {TypeError} `ERR_FRAME_OPTION_INVALID`, `ERR_FRAME_FORMAT_INVALID`, naming the option.
 */
export function resolveChannelOptions(
  options: ChannelOptions,
  defaults: ChannelDefaults,
): ResolvedChannelOptions {
  return {
    format: resolveFormat(options.format),
    maxFrameLength: resolveMaxFrameLength(options.maxFrameLength),
    memoryBudget: bytesOption('memoryBudget', options.memoryBudget, DEFAULT_MEMORY_BUDGET),
    highWaterMark: bytesOption('highWaterMark', options.highWaterMark, DEFAULT_HIGH_WATER_MARK),
    firstByteTimeout: msOption('firstByteTimeout', options.firstByteTimeout, 0),
    headerTimeout: msOption('headerTimeout', options.headerTimeout, defaults.headerTimeout),
    headerFromAccept: defaults.headerFromAccept,
    bodyTimeout: msOption('bodyTimeout', options.bodyTimeout, defaults.bodyTimeout),
    idleTimeout: msOption('idleTimeout', options.idleTimeout, 0),
    writeTimeout: msOption('writeTimeout', options.writeTimeout, defaults.writeTimeout),
    noDelay: booleanOption('noDelay', options.noDelay, true),
    keepAlive: booleanOption('keepAlive', options.keepAlive, false),
  }
}

/** No options. Without a prototype, as {@link bare}. */
export const NO_OPTIONS: Readonly<Record<string, never>> = Object.freeze(Object.create(null))

/**
 * A record of ours that is read like a caller's options: it has what is in it, and not what somebody put on
 * Object.prototype. What a caller's own object inherits is the caller's affair, as it is in Node.
 */
export function bare<T extends object>(record: T): T {
  return Object.setPrototypeOf(record, null)
}

/** An options argument: an object, or nothing. */
export function optionsObject<T extends object>(
  value: T | undefined,
  name = 'options',
): T | Readonly<Record<string, never>> {
  if (value === undefined) return NO_OPTIONS
  if (typeof value !== 'object' || value === null) throw optionError(name, 'an object', value)
  return value
}

/**
 * Whole milliseconds, as `AbortSignal.timeout` takes them: the addon counts in them, and less than one is not off.
 * @param zero what 0 means; 'refused': 1 is the least.
 */
export function msOption(
  name: string,
  value: number | undefined,
  fallback: number,
  zero: 'off' | 'at once' | 'refused' = 'off',
): number {
  if (value === undefined) return fallback
  const [least, from] = zero === 'refused' ? [1, '1'] : [0, `0 (${zero})`]
  if (!Number.isInteger(value) || value < least || value > MAX_MS) {
    throw optionError(name, `a whole number of milliseconds from ${from} to ${MAX_MS}`, value)
  }
  return value + 0
}

/** A size that is at least 1; Infinity is no limit. */
function bytesOption(name: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback
  if (value !== Infinity && (!Number.isSafeInteger(value) || value < 1)) {
    throw optionError(name, 'a whole number of bytes from 1 on, or Infinity', value)
  }
  return value
}

/** A count from `least` to `most`; Infinity is no limit where `most` is Infinity. */
export function countOption(
  name: string,
  value: number | undefined,
  fallback: number,
  least = 0,
  most = Number.POSITIVE_INFINITY,
): number {
  if (value === undefined) return fallback
  if (!(Number.isSafeInteger(value) || value === most) || value < least || value > most) {
    throw optionError(name, `a whole number from ${least} to ${most}`, value)
  }
  // Node's bindings abort at -0.
  return value + 0
}

function booleanOption(name: string, value: boolean | undefined, fallback: boolean): boolean {
  if (value === undefined) return fallback
  if (typeof value !== 'boolean') throw optionError(name, 'a boolean', value)
  return value
}

export function functionOption<F extends (...args: never[]) => unknown>(
  name: string,
  value: F | undefined,
): F | undefined {
  if (value !== undefined && typeof value !== 'function') throw optionError(name, 'a function', value)
  return value
}

/** A name or an address, which goes with a port. */
export function hostOption(host: string | undefined, port: number | undefined): string | undefined {
  if (host === undefined) return undefined
  if (typeof host !== 'string' || host === '') throw optionError('host', 'a name or an address', host)
  if (port === undefined) throw optionConflict('host goes with a port')
  return host
}

export function signalOption(value: AbortSignal | undefined, name = 'signal'): AbortSignal | undefined {
  if (value !== undefined && !(value instanceof AbortSignal)) throw optionError(name, 'an AbortSignal', value)
  return value
}

/** One of a few words. */
export function choiceOption<T extends string>(
  name: string,
  value: T | undefined,
  choices: readonly T[],
  fallback: T,
): T {
  if (value === undefined) return fallback
  if (!choices.includes(value)) throw optionError(name, `one of ${choices.join(', ')}`, value)
  return value
}

/** `ERR_FRAME_OPTION_INVALID` for options that do not go together. */
export function optionConflict(message: string): Error {
  return argumentError('ERR_FRAME_OPTION_INVALID', message)
}
