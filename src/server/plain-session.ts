/** A connection whose frames are its user's: the server only closes it, and says why when it must. */
import type { FrameError } from '../errors.js'
import { LINGER, Session } from './session.js'

export class PlainSession extends Session {
  protected override onConnectionMade(): void {
    // The user chooses how to consume.
  }

  override batch(): void {
    // Frames go to the public face, which is made before the first of them is read.
  }

  override ended(): boolean {
    return false
  }

  override faulted(error: FrameError, lost: boolean): boolean {
    this.countFault(lost)
    if (lost) return true
    this.sendErrorReply(error)
    this.channel.close(LINGER)
    return true
  }

  /** Ends our side; the peer, having read that, ends its own. */
  override finish(): void {
    this.channel.end()
  }
}
