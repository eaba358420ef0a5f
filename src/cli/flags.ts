/** Flags that several commands share, and how their words become options of the package. Knows syntax, not use. */
import type { FormatPreset, FrameFormat } from '../format.js'
import { UsageError } from './exit.js'

type Text = string | undefined

/** A flag that takes one of a few words. */
export function choice<const T extends string>(options: T[], description: string, preset?: T) {
  return { type: 'enum', options, description, ...(preset === undefined ? {} : { default: preset }) } as const
}

export const BACKEND_FLAG = {
  backend: choice(['auto', 'native', 'js'], 'Transport to use; default auto'),
} as const

export const FORMAT_FLAGS = {
  format: {
    type: 'string',
    valueHint: 'preset|json',
    description:
      "How frames lie on the wire: a preset (uint32be, varint, erlang:2, swoole:N, …) or a format's JSON",
  },
  'max-frame-length': {
    type: 'string',
    valueHint: 'bytes',
    description: 'Bytes of payload, both ways: 65536, 64KiB, 16MiB, infinity; default 16MiB',
  },
} as const

export const TARGET_FLAGS = {
  path: { type: 'string', valueHint: 'file', description: 'Unix socket; @name is an abstract one (Linux)' },
  port: { type: 'string', valueHint: 'number', description: 'TCP port' },
  host: { type: 'string', valueHint: 'address', description: 'Address that goes with --port' },
} as const

export const JSON_FLAG = {
  json: { type: 'boolean', description: 'Print results as JSON on stdout' },
} as const

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  kib: 1024,
  m: 1024 ** 2,
  mib: 1024 ** 2,
  g: 1024 ** 3,
  gib: 1024 ** 3,
}

export function parseBytes(flag: string, text: Text): number | undefined {
  if (text === undefined) return undefined
  if (text.toLowerCase() === 'infinity') return Number.POSITIVE_INFINITY
  const match = /^(\d+)([a-z]*)$/i.exec(text)
  const unit = match === null ? undefined : UNITS[match[2].toLowerCase()]
  if (match === null || unit === undefined)
    throw new UsageError(`--${flag} is a size such as 4096, 64KiB, 16MiB or infinity, not '${text}'`)
  return Number(match[1]) * unit
}

const SPANS: Readonly<Record<string, number>> = { '': 1, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** What a timer takes. */
export const MAX_MS = 2 ** 31 - 1

/** Whole milliseconds. What is more than nothing is at least one of them: 0 is off. */
export function parseTime(flag: string, text: Text): number | undefined {
  if (text === undefined) return undefined
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|)$/.exec(text)
  if (match === null) throw new UsageError(`--${flag} is a time such as 500, 500ms, 2s or 1m, not '${text}'`)
  const exact = Number(match[1]) * SPANS[match[2]]
  const ms = exact > 0 ? Math.max(1, Math.round(exact)) : 0
  if (ms > MAX_MS) throw new UsageError(`--${flag} is at most ${MAX_MS} ms, almost 25 days, not '${text}'`)
  return ms
}

export function parseCount(
  flag: string,
  text: Text,
  least = 0,
  most = Number.MAX_SAFE_INTEGER,
): number | undefined {
  if (text === undefined) return undefined
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= least && value <= most)) {
    const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`
    throw new UsageError(`--${flag} is a whole number ${range}, not '${text}'`)
  }
  return value
}

/** The format itself is checked by whoever takes it. */
export function parseFormat(text: Text): FrameFormat | FormatPreset | undefined {
  if (text === undefined || !text.startsWith('{')) return text as FormatPreset | undefined
  try {
    return JSON.parse(text) as FrameFormat
  } catch {
    throw new UsageError(`--format is a preset or a JSON object, not '${text}'`)
  }
}

export function parseMode(text: Text): number | undefined {
  if (text === undefined) return undefined
  if (!/^0?o?[0-7]{3,4}$/.test(text)) throw new UsageError(`--mode is octal, such as 0660, not '${text}'`)
  return Number.parseInt(text.replace('o', ''), 8)
}

/** A file system path, or `@name` for Linux's abstract names. */
export function socketPath(text: string): string {
  return text.startsWith('@') ? `\0${text.slice(1)}` : text
}

export type Endpoint = { readonly path: string } | { readonly port: number; readonly host?: string }

/** A socket in one word: `/run/app.sock`, `@name`, `8000`, `127.0.0.1:8000`, `[::1]:8000`. */
export function parseEndpoint(flag: string, text: string): Endpoint {
  if (text === '') throw new UsageError(`--${flag} needs a socket`)
  const tcp = /^(?:(?:\[([^\]]+)\]|([^/@:]*)):)?(\d{1,5})$/.exec(text)
  if (tcp === null) return { path: socketPath(text) }
  const port = parseCount(flag, tcp[3], 0, 65535)!
  const host = tcp[1] ?? tcp[2]
  return host === undefined || host === '' ? { port } : { port, host }
}

export function formatEndpoint(
  endpoint: { readonly path: string } | { readonly port: number; readonly host?: string },
): string {
  if ('path' in endpoint) return endpoint.path.replace(/^\0/, '@')
  const { host = '', port } = endpoint
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** What --path, --port and --host name; undefined: none of them was given. */
export function targetOf(args: {
  readonly path?: Text
  readonly port?: Text
  readonly host?: Text
}): Endpoint | undefined {
  const { path, host } = args
  const port = parseCount('port', args.port, 0, 65535)
  if (path !== undefined && port !== undefined) throw new UsageError('--path and --port exclude each other')
  if (host !== undefined && port === undefined) throw new UsageError('--host goes with --port')
  if (path !== undefined) {
    if (path === '') throw new UsageError('--path needs a file name')
    return { path: socketPath(path) }
  }
  if (port === undefined) return undefined
  return host === undefined ? { port } : { port, host }
}

/** Leaves out what is undefined, so that spreading it over other options keeps theirs. */
export function given<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>
}
