/** The js transport: the contract on node:net and node:tls, for every platform and runtime that has them. */

import type { Socket } from 'node:net'
import { Socket as NetSocket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { BudgetConfig, Channel, ChannelConfig, Transport } from '../contract.js'
import { AbstractNames } from './abstract-name.js'
import { connect } from './connector.js'
import { DuplexChannel } from './duplex-channel.js'
import { Hub } from './hub.js'
import { listen } from './listener.js'
import { NetChannel } from './net-channel.js'

/** What the js transport can do beyond the contract. */
export interface JsTransport extends Transport {
  readonly name: 'js'
  /** A channel over a stream that is already open. The stream is the channel's from now on. */
  wrap(stream: Duplex, config: ChannelConfig & BudgetConfig): Channel
}

/** @param outSlabBytes size of the memory that sends of a turn are put together in, made at the first send. */
export function createJsTransport(outSlabBytes?: number): JsTransport {
  const hub = new Hub(outSlabBytes)
  const names = new AbstractNames()
  return {
    name: 'js',
    async listen(target, config, events) {
      if (target.kind === 'path') await names.refusePadded(target.path)
      return listen(hub, target, config, events)
    },
    async connect(target, config, signal) {
      if (target.kind === 'path') await names.refusePadded(target.path)
      return connect(hub, target, config, signal)
    },
    wrap: (stream, config) =>
      stream instanceof NetSocket
        ? new NetChannel(stream as Socket, hub, config)
        : new DuplexChannel(stream, hub, config, 'duplex'),
  }
}
