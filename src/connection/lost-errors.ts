/**
 * What is said to everybody who waits on a connection that is lost: two errors, whoever waits. An error each, with a stack
 * each, lets a peer that leaves 16,000 sends behind stop all others for a quarter of a second.
 */
import type { FrameError } from '../errors.js'

export class LostErrors {
  readonly #make: (neverWritten: boolean) => FrameError
  #neverWritten: FrameError | undefined
  #unknown: FrameError | undefined

  constructor(make: (neverWritten: boolean) => FrameError) {
    this.#make = make
  }

  of(neverWritten: boolean): FrameError {
    if (neverWritten) {
      this.#neverWritten ??= this.#make(true)
      return this.#neverWritten
    }
    this.#unknown ??= this.#make(false)
    return this.#unknown
  }
}
