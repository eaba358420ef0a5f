/** The js transport: the contract on node:net and node:tls, for every platform and runtime that has them. */

import type { Socket } from 'node:net'
import { Socket as NetSocket } from 'node:net'
import type { Duplex } from 'node:stream'
import { isMainThread } from 'node:worker_threads'
import type { BudgetConfig, Channel, ChannelConfig, ListenTarget, Transport } from '../contract.js'
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

/**
 * @param duplicate another descriptor of the same socket, which Node has no call for.
 * @param outSlabBytes size of the memory that sends of a turn are put together in, made at the first send.
 */
export function createJsTransport(duplicate?: (fd: number) => number, outSlabBytes?: number): JsTransport {
  const hub = new Hub(outSlabBytes)
  const names = new AbstractNames()
  return {
    name: 'js',
    async listen(target, config, events) {
      if (target.kind === 'path') await names.refusePadded(target.path)
      return listen(hub, ownDescriptor(target, duplicate), config, events)
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

/** In a worker thread others may listen on the same descriptor, and who closes it closes it for all of them. */
function ownDescriptor(target: ListenTarget, duplicate: ((fd: number) => number) | undefined): ListenTarget {
  if (target.kind !== 'fd' || isMainThread || duplicate === undefined) return target
  return { ...target, fd: duplicate(target.fd) }
}
