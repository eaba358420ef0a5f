/** Names of unix sockets as the system takes them. Knows lengths and kinds of names, not who listens. */
import { FrameError, optionError } from '../errors.js'

/** What a socket address holds, its NUL included: `sun_path` of the platform. */
export const ADDRESS_BYTES = process.platform === 'linux' ? 108 : 104

/** Names that are no files: Windows pipes, and Linux's abstract names, which start with a NUL. */
export function isNamespaceName(path: string): boolean {
  return path.startsWith('\0') || process.platform === 'win32'
}

/** @throws {TypeError} `ERR_FRAME_OPTION_INVALID` */
export function checkPath(path: unknown): string {
  // A NUL is right only in front, where it makes the name abstract.
  if (typeof path === 'string' && path.length > 0 && path.indexOf('\0', 1) < 0) return path
  throw optionError('path', 'a path, or an abstract name that starts with a NUL', path)
}

/**
 * Refuses a path that does not fit a socket address, which is counted in bytes.
 * @throws {FrameError} `ERR_FRAME_PATH_TOO_LONG`
 */
export function checkPathLength(path: string): void {
  if (process.platform === 'win32') return
  const bytes = Buffer.byteLength(path)
  if (bytes < ADDRESS_BYTES) return
  throw new FrameError('ERR_FRAME_PATH_TOO_LONG', {
    message: `The socket path has ${bytes} bytes, the system allows ${ADDRESS_BYTES - 1}: ${path}`,
  })
}
