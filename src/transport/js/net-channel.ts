/**
 * NetChannel: frames over a socket of node:net or node:tls. Knows what only sockets have: addresses, ref, and reads that
 * go into memory of ours.
 */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { BudgetConfig, ChannelConfig } from '../contract.js'
import { DuplexChannel } from './duplex-channel.js'
import type { Hub } from './hub.js'

/** What node:net reads at most into memory of its own: a socket that brings as much is a busy one. */
const FULL_CHUNK = 64 * 1024
/**
 * Frames of at least this size are put together from chunks of their own: with nothing else allocated between them, memory
 * for such frames goes back to the system and comes from it again.
 */
const VERY_LARGE = 512 * 1024

export class NetChannel extends DuplexChannel {
  declare readonly stream: Socket
  #isBulk = false

  constructor(socket: Socket, hub: Hub, config: ChannelConfig & BudgetConfig) {
    super(socket, hub, config, socket instanceof TLSSocket ? 'tls' : 'socket')
  }

  /** @internal */
  override onChunk(chunk: Buffer): void {
    super.onChunk(chunk)
    if (chunk.length === FULL_CHUNK && !this.#isBulk && this.kind === 'socket') this.#readInBulk()
  }

  #readInBulk(): void {
    const { hub, input, stream } = this
    if (input === undefined || input.pending >= VERY_LARGE || stream.destroyed) return
    const slab = hub.readSlab()
    // Once it has failed it is not tried again.
    this.#isBulk = true
    if (hub.bulk.attach(stream, slab, (count) => super.onChunk(slab.subarray(0, count)))) input.borrowChunks()
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
