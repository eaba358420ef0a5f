/**
 * The last descriptor that this process may open. A system gives out the lowest that is free, so a socket that got this one
 * says that the table is full: libuv would accept and close the next ones without a word to anybody. Knows numbers, and how
 * Linux tells them; elsewhere no socket is the last.
 */
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'

export class LastDescriptor {
  #last = readLast()

  /** `socket` has it, and no other can be opened beside it. */
  isOf(socket: Socket): boolean {
    const { _handle } = socket as { _handle?: { readonly fd?: number } | null }
    if (this.#last === undefined || _handle?.fd !== this.#last) return false
    // The limit may have been raised. Where nothing can be opened to find out, it was not.
    this.#last = readLast() ?? this.#last
    return _handle.fd === this.#last
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
