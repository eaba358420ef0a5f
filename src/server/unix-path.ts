/**
 * A unix socket's place in the file system: taken so that exactly one server owns it, with the right mode and owner
 * before anyone can connect, and given back only while it is still ours. Knows paths and inodes, not what listens.
 *
 * How a path is taken. The transport binds and listens under a private name, in a directory of mode 0700 beside the
 * path, where nobody else can connect yet; mode and owner are set there. Then the socket gets its real name:
 * - the path is free: link(2) puts it there, and fails if someone else was faster;
 * - a live server answers there: EADDRINUSE;
 * - the leftover of a killed server is there: the right to replace inode N is a second name for our socket,
 *   `.fw-N.0` in the same directory, again made by link(2), so that one starter holds it. Its holder looks once more
 *   that the path is still that dead inode and renames its claim over it, which gives up the claim in the same step.
 *   A starter that died with a claim in its hand is recognised like any dead server, by its socket refusing; the
 *   next number then is tried. So no lock outlives its process, and a live server is never displaced.
 */
import * as fs from 'node:fs/promises'
import { createConnection } from 'node:net'
import { basename, dirname, resolve } from 'node:path'
import { FrameError, optionError } from '../errors.js'
import { ADDRESS_BYTES, checkPathLength } from '../transport/unix-address.js'
import { systemError } from './system-error.js'

/** Who owns the socket file. Left out: the process's own. */
export interface SocketOwner {
  readonly uid?: number
  readonly gid?: number
}

export interface SocketPathOptions {
  /** Permission bits of the socket file, for example 0o660. Default: what the umask leaves. */
  readonly mode?: number
  readonly owner?: SocketOwner
}

/** One directory, and names in it that fit a socket address even when their full path does not. */
class SocketDirectory {
  readonly #path: string
  #handle: fs.FileHandle | undefined

  constructor(path: string) {
    this.#path = path
  }

  name(name: string): string {
    return `${this.#path}/${name}`
  }

  /** `name` as something to bind or connect to. */
  async address(name: string): Promise<string> {
    const full = this.name(name)
    if (Buffer.byteLength(full) < ADDRESS_BYTES) return full
    // The kernel follows the link of an open directory, so that the address is short.
    if (process.platform !== 'linux') checkPathLength(full)
    this.#handle ??= await fs.open(this.#path, 'r')
    return `/proc/self/fd/${this.#handle.fd}/${name}`
  }

  async close(): Promise<void> {
    await this.#handle?.close()
    this.#handle = undefined
  }
}

interface Inode {
  readonly dev: bigint
  readonly ino: bigint
}

type Occupant = { readonly kind: 'none' | 'live' | 'other' } | ({ readonly kind: 'dead' } & Inode)

/** A path on its way to being ours: `bind`, then listen on it, then `publish`, in the end `release`. */
export class SocketPath {
  /** Where the transport is to listen. */
  readonly bindPath: string
  readonly #path: string
  /** The same from wherever the process goes. */
  readonly #absolute: string
  readonly #options: SocketPathOptions
  readonly #directory: SocketDirectory
  readonly #privateName: string
  #published: Inode | undefined

  private constructor(
    path: string,
    options: SocketPathOptions,
    directory: SocketDirectory,
    privateName: string,
    bindPath: string,
  ) {
    this.#path = path
    this.#absolute = resolve(path)
    this.#options = options
    this.#directory = directory
    this.#privateName = privateName
    this.bindPath = bindPath
  }

  /**
   * Looks whether `path` can be taken, and makes the private place to bind.
   * @throws {FrameError} `ERR_FRAME_PATH_TOO_LONG`, `ERR_FRAME_PATH_NOT_SOCKET`; the system's `EADDRINUSE`, `ENOENT`, `EACCES`
   */
  static async prepare(path: string, options: SocketPathOptions): Promise<SocketPath> {
    checkPathLength(path)
    checkSocketOptions(options)
    const directory = new SocketDirectory(dirname(path))
    try {
      refuseOccupied(path, await inspect(path, await directory.address(basename(path))))
      const privateName = basename(await fs.mkdtemp(directory.name('.fw-')))
      return new SocketPath(
        path,
        options,
        directory,
        privateName,
        await directory.address(`${privateName}/s`),
      )
    } catch (error) {
      await directory.close()
      throw asListenError(error, path)
    }
  }

  /** Gives the socket that now listens at `bindPath` its mode, owner and name. Undoes everything when it cannot. */
  async publish(): Promise<void> {
    const bound = this.#directory.name(`${this.#privateName}/s`)
    try {
      const { owner, mode } = this.#options
      // + 0, because Node aborts at -0.
      if (owner !== undefined) await fs.chown(bound, (owner.uid ?? -1) + 0, (owner.gid ?? -1) + 0)
      if (mode !== undefined) await fs.chmod(bound, mode + 0)
      const inode = await fs.lstat(bound, { bigint: true })
      await this.#takeName(bound)
      this.#published = { dev: inode.dev, ino: inode.ino }
    } catch (error) {
      throw asListenError(error, this.#path)
    } finally {
      await this.abandon()
    }
  }

  /** Removes the private place. After a `publish` nothing but the real name is left. */
  async abandon(): Promise<void> {
    const place = this.#directory.name(this.#privateName)
    await ignoring('ENOENT', fs.unlink(`${place}/s`))
    await ignoring('ENOENT', fs.rmdir(place))
    await this.#directory.close()
  }

  /**
   * Removes the path if it still is our socket. To be called while we still listen: nobody can take the path
   * from a live server, so what is found ours stays ours until it is removed.
   */
  async release(): Promise<void> {
    const ours = this.#published
    if (ours === undefined) return
    this.#published = undefined
    const found = await inodeOf(this.#absolute)
    if (found !== undefined && same(found, ours)) await ignoring('ENOENT', fs.unlink(this.#absolute))
  }

  async #takeName(bound: string): Promise<void> {
    for (;;) {
      if (await linked(bound, this.#path)) return
      const occupant = await inspect(this.#path, await this.#directory.address(basename(this.#path)))
      refuseOccupied(this.#path, occupant)
      if (occupant.kind === 'dead' && (await this.#replace(bound, occupant))) return
    }
  }

  /** Replaces the dead socket `dead`. False: the path is no longer that one; look again. */
  async #replace(bound: string, dead: Inode): Promise<boolean> {
    const generation = await this.#claim(bound, dead)
    const claim = this.#directory.name(claimName(dead, generation))
    let isOurs = false
    try {
      // Whoever held the claim before us may have replaced the socket meanwhile.
      const now = await inspect(this.#path, await this.#directory.address(basename(this.#path)))
      if (now.kind === 'dead' && same(now, dead)) {
        await fs.rename(claim, this.#path)
        isOurs = true
      }
    } finally {
      // Behind the rename the name may be somebody else's claim.
      if (!isOurs) await ignoring('ENOENT', fs.unlink(claim))
    }
    // The claims of starters that died go last: until the rename they keep their numbers taken.
    for (let i = 0; isOurs && i < generation; i++) {
      await ignoring('ENOENT', fs.unlink(this.#directory.name(claimName(dead, i))))
    }
    return isOurs
  }

  /** Takes the right to replace `dead`, and tells under which number. */
  async #claim(bound: string, dead: Inode): Promise<number> {
    for (let generation = 0; ; ) {
      const name = claimName(dead, generation)
      if (await linked(bound, this.#directory.name(name))) return generation
      const holder = await inspect(this.#directory.name(name), await this.#directory.address(name))
      // Someone alive is about to own the path.
      if (holder.kind === 'live' || holder.kind === 'other') throw systemError('EADDRINUSE', this.#path)
      if (holder.kind === 'dead') generation++
    }
  }
}

function claimName(dead: Inode, generation: number): string {
  return `.fw-${dead.ino.toString(36)}.${generation}`
}

/** @throws {TypeError} `ERR_FRAME_OPTION_INVALID` */
export function checkSocketOptions({ mode, owner }: SocketPathOptions): void {
  if (mode !== undefined && !(Number.isInteger(mode) && mode >= 0 && mode <= 0o777)) {
    throw optionError('mode', 'permission bits from 0 to 0o777', mode)
  }
  if (owner === undefined) return
  if (typeof owner !== 'object' || owner === null || (owner.uid === undefined && owner.gid === undefined)) {
    throw optionError('owner', 'an object with uid, gid or both', owner)
  }
  for (const [name, id] of Object.entries(owner)) {
    const fits = id === undefined || (Number.isInteger(id) && id >= 0 && id < 2 ** 32 - 1)
    if (!fits) throw optionError(`owner.${name}`, 'a numeric id', id)
  }
}

function refuseOccupied(path: string, occupant: Occupant): void {
  if (occupant.kind === 'live') throw systemError('EADDRINUSE', path)
  if (occupant.kind !== 'other') return
  throw new FrameError('ERR_FRAME_PATH_NOT_SOCKET', {
    message: `There is something at ${path} that is not a socket; it was left alone`,
  })
}

/** What is at `path` now. `address` is the same place as something to connect to. */
async function inspect(path: string, address: string): Promise<Occupant> {
  const before = await inodeOf(path)
  if (before === undefined) return { kind: 'none' }
  if (!before.socket) return { kind: 'other' }
  const answer = await knock(address)
  if (answer !== 'refused') return { kind: answer === 'gone' ? 'none' : 'live' }
  // The refusal counts for the inode we looked at only if it is still there.
  const after = await inodeOf(path)
  if (after === undefined || !same(before, after)) return inspect(path, address)
  return { kind: 'dead', dev: before.dev, ino: before.ino }
}

async function inodeOf(path: string): Promise<(Inode & { readonly socket: boolean }) | undefined> {
  try {
    const stat = await fs.lstat(path, { bigint: true })
    return { dev: stat.dev, ino: stat.ino, socket: stat.isSocket() }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** What keeps this process, or the system, from connecting to anybody. */
const OUT_OF = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'])

/**
 * Whether somebody listens. Only a refusal says no: a full backlog (EAGAIN), no permission to connect or a
 * datagram socket all mean that the path is somebody's.
 * @throws the system's error where nobody could be asked.
 */
function knock(address: string): Promise<'answered' | 'refused' | 'gone'> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path: address })
    socket.once('connect', () => {
      socket.destroy()
      resolve('answered')
    })
    socket.once('error', (error) => {
      const code = codeOf(error)
      if (OUT_OF.has(code as string)) reject(error)
      else resolve(code === 'ECONNREFUSED' ? 'refused' : code === 'ENOENT' ? 'gone' : 'answered')
    })
  })
}

/** link(2); false when `to` is taken. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await fs.link(from, to)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

async function ignoring(code: string, promise: Promise<void>): Promise<void> {
  try {
    await promise
  } catch (error) {
    if (codeOf(error) !== code) throw error
  }
}

function same(a: Inode, b: Inode): boolean {
  return a.ino === b.ino && a.dev === b.dev
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
}

/** The file system's errors name our private file; the caller asked for `path`. */
function asListenError(error: unknown, path: string): unknown {
  const { code, errno, syscall } = error as NodeJS.ErrnoException
  if (error instanceof FrameError || syscall === undefined || syscall === 'listen' || code === undefined)
    return error
  return Object.assign(systemError(code, path, errno), { cause: error })
}
