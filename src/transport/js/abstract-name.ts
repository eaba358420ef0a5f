/**
 * Linux's abstract socket names as node:net takes them. The libuv of Node 20 hands the kernel the whole address, so that
 * the name is followed by NULs up to its end; to the kernel that is another name, which no other program connects to or
 * binds. Knows how to find that out, not what a name is used for.
 */
import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:net'
import { FrameError } from '../../errors.js'

/** Remembers what this runtime does, which costs two sockets to find out. */
export class AbstractNames {
  #padded: Promise<boolean> | undefined

  /**
   * Refuses an abstract name where this runtime would use another one. Anything else passes.
   * @throws {FrameError} `ERR_FRAME_BACKEND_UNSUPPORTED`
   */
  async refusePadded(path: string): Promise<void> {
    if (process.platform !== 'linux' || !path.startsWith('\0')) return
    this.#padded ??= isPadded()
    if (!(await this.#padded)) return
    throw new FrameError('ERR_FRAME_BACKEND_UNSUPPORTED', {
      message:
        'This Node.js fills abstract socket names up with NULs, and no other program would find the socket: take the native backend, Node.js 22 or newer, or a path',
    })
  }
}

/**
 * Asked of the kernel, because a version says what its maintainers released and not what a distribution built: a name and
 * the same name with a NUL behind it are two unless both are filled up.
 */
async function isPadded(): Promise<boolean> {
  const name = `\0framewire-${randomUUID()}`
  const first = await bind(name)
  const second = await bind(`${name}\0`)
  for (const bound of [first, second]) if (typeof bound === 'object') bound.close()
  return typeof first === 'object' && second === 'EADDRINUSE'
}

function bind(path: string): Promise<Server | string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code))
    // Exclusive: a worker of node:cluster would have its primary bind it.
    server.listen({ path, exclusive: true }, () => resolve(server)).unref()
  })
}
