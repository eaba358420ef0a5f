/**
 * The last descriptors that this process may open: whoever gets one of them says that the table is full, and that libuv would
 * accept and close the next ones without a word to anybody. Knows numbers, and how Linux tells them; elsewhere no socket is
 * among the last.
 *
 * A system gives out the lowest number that is free. Where connections fill the table, the last ones get its last two numbers; two,
 * because another thread may have a file open for a moment. Where others fill it, no connection gets one at all: for that a
 * descriptor is kept, and given up when there is no other, so that the next connection gets it and says so.
 */
import { closeSync, openSync, readFileSync } from 'node:fs'
import type { Socket } from 'node:net'

/** Nobody tells that the table is full: it is looked so often, ms. */
const LOOK_MS = 1000

export class LastDescriptors {
  #last = readLast()
  /** Kept while there are others. */
  #kept: number | undefined
  /** The number it had, while there are none. */
  #givenUp: number | undefined
  #timer: NodeJS.Timeout | undefined

  /** From here on, until `stop`, a descriptor is kept. */
  watch(): void {
    if (this.#last === undefined) return
    this.#kept = tryOpen()
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    if (this.#kept !== undefined) closeSync(this.#kept)
    this.#kept = this.#givenUp = undefined
  }

  /** `socket` has one of them. */
  include(socket: Socket): boolean {
    const { _handle } = socket as { _handle?: { readonly fd?: number } | null }
    const fd = _handle?.fd
    if (this.#last === undefined || fd === undefined) return false
    if (fd === this.#givenUp) return !this.#isThereOne()
    if (fd < this.#last - 1) return false
    // The limit may have been raised. Where nothing can be opened to find out, it was not.
    this.#last = readLast() ?? this.#last
    return fd >= this.#last - 1
  }

  /** There is one besides what `include` was asked for: it is kept again. */
  #isThereOne(): boolean {
    this.#kept = tryOpen()
    if (this.#kept === undefined) return false
    this.#givenUp = undefined
    return true
  }

  #look(): void {
    this.#kept ??= tryOpen()
    if (this.#kept === undefined) return // somebody has that, too
    const another = tryOpen()
    if (another !== undefined) {
      closeSync(another)
      this.#givenUp = undefined
      return
    }
    closeSync(this.#kept)
    this.#givenUp = this.#kept
    this.#kept = undefined
  }
}

function tryOpen(): number | undefined {
  try {
    return openSync('/dev/null', 'r')
  } catch {
    return undefined // none is free
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
