/** NetChannel: frames over a socket of node:net or node:tls. Knows what only sockets have: addresses and ref. */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { BudgetConfig, ChannelConfig } from '../contract.js'
import { DuplexChannel } from './duplex-channel.js'
import type { Hub } from './hub.js'

export class NetChannel extends DuplexChannel {
  declare readonly stream: Socket

  constructor(socket: Socket, hub: Hub, config: ChannelConfig & BudgetConfig) {
    super(socket, hub, config, socket instanceof TLSSocket ? 'tls' : 'socket')
  }

  override get remoteAddress(): string | undefined {
    return this.stream.remoteAddress
  }

  override get remotePort(): number | undefined {
    return this.stream.remotePort
  }

  override ref(): void {
    this.stream.ref()
  }

  override unref(): void {
    this.stream.unref()
  }
}
