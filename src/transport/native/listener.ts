/** One listening socket of the addon. Knows whom to tell of connections, not what they carry. */
import type { Address, Listener, ListenerConfig, ListenerEvents } from '../contract.js'
import { NativeChannel } from './channel.js'
import { ChannelTraits } from './channel-traits.js'
import { systemError } from './faults.js'
import type { NativeHub } from './hub.js'

const STATE_CLOSED = 16
const STATE_DROPPED = 32
const STATE_EXHAUSTED = 64
const STATE_ERROR = 128

export class NativeListener implements Listener {
  private readonly traits: ChannelTraits
  private closing: Promise<void> | undefined
  private closed: (() => void) | undefined
  /** The descriptor is closed. */
  isClosed = false

  constructor(
    private readonly hub: NativeHub,
    readonly number: number,
    private readonly configId: number,
    private readonly config: ListenerConfig,
    private readonly events: ListenerEvents,
    readonly address: Address,
  ) {
    this.traits = new ChannelTraits(hub, config, configId)
  }

  get connectionCount(): number {
    return this.hub.binding.listenerConnections(this.number)
  }

  get heldBytes(): number {
    return this.hub.binding.heldBytes(this.configId)
  }

  announceAll(): void {
    this.hub.announceAll(this)
  }

  close(): Promise<void> {
    this.closing ??= new Promise((resolve) => {
      this.closed = resolve
      this.hub.binding.closeListener(this.number)
    })
    return this.closing
  }

  ref(): void {
    this.hub.binding.referenceListener(this.number, true)
  }

  unref(): void {
    this.hub.binding.referenceListener(this.number, false)
  }

  // --- told by the hub

  accept(slot: number): NativeChannel {
    return new NativeChannel(this.traits, slot)
  }

  announce(channel: NativeChannel): void {
    if (!this.events.onChannel(channel)) channel.destroy()
    else if (this.config.needPeer) channel.resume()
  }

  tell(bits: number, value: number): void {
    if ((bits & STATE_DROPPED) !== 0) this.events.onDrop('limit', value)
    if ((bits & STATE_EXHAUSTED) !== 0) this.events.onDrop('descriptors', value)
    if ((bits & STATE_ERROR) !== 0) this.events.onError(systemError(this.hub.binding, -value, 'accept'))
    if ((bits & STATE_CLOSED) === 0) return
    this.isClosed = true
    this.hub.binding.dropConfig(this.configId)
    this.release()
    this.closed?.()
  }

  /** Its connections may outlive it, and are looked up by its number. */
  release(): void {
    if (this.isClosed && this.connectionCount === 0) this.hub.listeners.delete(this.number)
  }
}
