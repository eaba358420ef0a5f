/**
 * The last two descriptors that this process may open. A system gives out the lowest that is free, so a socket that got one of
 * them says that the table is full: libuv would accept and close the next ones without a word to anybody. Two, because another
 * thread may have a file open for a moment. Knows numbers, and how Linux tells them; elsewhere no socket is among the last.
 */
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'

export class LastDescriptors {
  #last = readLast()

  /** `socket` has one of them. */
  include(socket: Socket): boolean {
    const { _handle } = socket as { _handle?: { readonly fd?: number } | null }
    const fd = _handle?.fd
    if (this.#last === undefined || fd === undefined || fd < this.#last - 1) return false
    // The limit may have been raised. Where nothing can be opened to find out, it was not.
    this.#last = readLast() ?? this.#last
    return fd >= this.#last - 1
  }
}

function readLast(): number | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
    return limit === null ? undefined : Number(limit[1]) - 1
  } catch {
    return undefined // no descriptor is free, or the file is not there or not for us: not known
  }
}
