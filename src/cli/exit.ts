/** Exit codes of the command and what leads to them. docs/cli.md lists them. Knows errors, not commands. */
import { FrameError } from '../errors.js'

export const EXIT = Object.freeze({
  /** Done. */
  OK: 0,
  /** It was tried and failed. */
  FAILED: 1,
  /** The command line or the input is wrong: nothing was tried. */
  USAGE: 2,
  /** Could not connect, or not listen: nobody there, no permission, the address is taken. */
  UNREACHABLE: 3,
  /** A time limit has passed. */
  TIMEOUT: 4,
})

/** The command line or the input is wrong. The text says what was expected. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

const UNREACHABLE = new Set([
  'EACCES',
  'EADDRINUSE',
  'EADDRNOTAVAIL',
  'EAI_AGAIN',
  'EBADF',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'ENOTFOUND',
  'ENOTSOCK',
  'EPERM',
  'ERR_FRAME_BACKEND_UNSUPPORTED',
  'ERR_FRAME_PATH_NOT_SOCKET',
  'ERR_FRAME_PATH_TOO_LONG',
])

export function codeOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'string' ? code : undefined
}

/** What an error of a system call or of the package means for whoever called the command. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.USAGE
  const code = codeOf(error)
  if (code === undefined) return EXIT.FAILED
  if (code === 'ERR_FRAME_OPTION_INVALID' || code === 'ERR_FRAME_FORMAT_INVALID') return EXIT.USAGE
  if (code === 'ETIMEDOUT' || (error instanceof FrameError && code.endsWith('_TIMEOUT'))) return EXIT.TIMEOUT
  const { syscall } = error as NodeJS.ErrnoException
  const reaches = syscall === undefined || /^(connect|listen|bind|getaddrinfo|open)/.test(syscall)
  return UNREACHABLE.has(code) && reaches ? EXIT.UNREACHABLE : EXIT.FAILED
}

/** One line for people; the stack only where the mistake is ours or the handler's. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = codeOf(error)
  // Abstract socket names are written as they are given.
  const message = error.message.replace(/\0/g, '@')
  return code === undefined || message.includes(code) ? message : `${message} [${code}]`
}
