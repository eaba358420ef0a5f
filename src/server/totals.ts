/** What a server counts from its first to its last connection. Knows numbers, and where a channel has its own. */
import type { Channel } from '../transport/contract.js'

export class Totals {
  accepted = 0
  dropped = 0
  framesReceived = 0
  bytesReceived = 0
  framesSent = 0
  bytesSent = 0
  /** Requests given to the handler, and those of them whose reply has not left. */
  requests = 0
  pendingRequests = 0
  /** Connections that were closed for an error of their peer, and requests whose handler failed. */
  faults = 0
  handlerFailures = 0

  add(channel: Channel): void {
    this.framesReceived += channel.framesReceived
    this.bytesReceived += channel.bytesReceived
    this.framesSent += channel.framesSent
    this.bytesSent += channel.writtenBytes
  }

  /** With what open connections have counted so far. */
  with(open: Iterable<{ readonly channel: Channel }>): Totals {
    const sum = Object.assign(new Totals(), this)
    for (const { channel } of open) sum.add(channel)
    return sum
  }
}
