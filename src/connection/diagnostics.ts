/** The diagnostics channels of the package. Nothing is built or published unless somebody subscribed. */
import { channel } from 'node:diagnostics_channel'

export type DiagnosticsName = 'framewire:connection' | 'framewire:error' | 'framewire:drop'

/** The process-wide channel objects, looked up once: asking one whether it has subscribers costs a property read. */
const CHANNELS = Object.freeze({
  'framewire:connection': channel('framewire:connection'),
  'framewire:error': channel('framewire:error'),
  'framewire:drop': channel('framewire:drop'),
})

export function hasSubscribers(name: DiagnosticsName): boolean {
  return CHANNELS[name].hasSubscribers
}

/** Publishes what `message` returns, which is called only when the channel has subscribers. */
export function publish(name: DiagnosticsName, message: () => object): void {
  if (CHANNELS[name].hasSubscribers) CHANNELS[name].publish(message())
}
