/** The diagnostics channels of the package. Nothing is built or published unless somebody subscribed. */
import { channel, hasSubscribers } from 'node:diagnostics_channel'

export type DiagnosticsName = 'framewire:connection' | 'framewire:error' | 'framewire:drop'

/** Publishes what `message` returns, which is called only when the channel has subscribers. */
export function publish(name: DiagnosticsName, message: () => object): void {
  if (hasSubscribers(name)) channel(name).publish(message())
}
