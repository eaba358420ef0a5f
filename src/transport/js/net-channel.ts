/**
 * NetChannel: frames over a socket of node:net or node:tls. Knows what only sockets have: addresses, ref, and reads that
 * go into memory of ours.
 */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { BudgetConfig, ChannelConfig } from '../contract.js'
import { DuplexChannel } from './duplex-channel.js'
import type { Hub } from './hub.js'
import { ReadMemory } from './read-memory.js'

/** What node:net reads at most into memory of its own: a socket that brings as much is a busy one. */
const FULL_CHUNK = 64 * 1024
/** How long one socket keeps the others waiting, ms. */
const TURN_MS = 4

export class NetChannel extends DuplexChannel {
  declare readonly stream: Socket
  /** Where it reads to once it was found busy; null where that cannot be. */
  #memory: ReadMemory | null | undefined
  /** Time spent on what was read since the others last had their turn, ms. */
  #spent = 0

  constructor(socket: Socket, hub: Hub, config: ChannelConfig & BudgetConfig) {
    super(socket, hub, config, socket instanceof TLSSocket ? 'tls' : 'socket')
  }

  /** @internal */
  override onChunk(chunk: Buffer): void {
    const { readShare } = this.hub
    const frames = this.framesReceived
    const { most } = readShare
    const count = Math.min(chunk.length, most)
    if (count < chunk.length) this.#putBack(chunk.subarray(count))
    super.onChunk(count < chunk.length ? chunk.subarray(0, count) : chunk)
    readShare.count(this.framesReceived - frames, count, 0)
    if (chunk.length === FULL_CHUNK && this.#memory === undefined && this.kind === 'socket')
      this.#readInBulk()
  }

  /** What is too much for this turn comes first in the next one. */
  #putBack(rest: Buffer): void {
    const { stream } = this
    stream.pause()
    stream.unshift(rest)
    setImmediate(() => {
      if (!this.isPaused && !stream.destroyed) stream.resume()
    })
  }

  #readInBulk(): void {
    const { hub, input, stream } = this
    if (input === undefined || stream.destroyed || stream.readableLength > 0) return
    const memory = new ReadMemory(input, hub.reads)
    const { deadlines, readShare } = hub
    const onRead = (count: number) => {
      const began = deadlines.now()
      const { frames } = input
      this.#takeChunk(memory.take(count))
      const spent = deadlines.now() - began
      readShare.count(input.frames - frames, count, spent)
      this.#spent += spent
      // Paused by the chunk with which it was switched over: Node has not stopped yet what it reads for a stream.
      if (stream.isPaused()) return false
      return (this.#spent < TURN_MS && !readShare.isUsedUp) || !this.#yield()
    }
    const isOn = hub.bulk.attach(stream, memory.next, onRead, () => memory.advance(readShare.most))
    this.#memory = isOn ? memory : null
  }

  #takeChunk(chunk: Buffer): void {
    try {
      super.onChunk(chunk)
    } catch (error) {
      // Thrown on, it would keep Node from asking where to read next, and this memory would be read to again.
      this.lose(error as Error)
      this.destroy()
    }
  }

  /** @internal */
  override onStreamClose(): void {
    if (this.#memory) {
      this.#memory.release()
      this.#memory = null
      this.hub.bulk.detach()
    }
    super.onStreamClose()
  }

  /** Stops reading until the next turn of the loop; false: it was stopped for longer anyway. */
  #yield(): boolean {
    this.#spent = 0
    const { stream } = this
    if (stream.isPaused()) return false
    setImmediate(() => {
      if (!stream.isPaused() && !stream.destroyed) stream.resume()
    })
    return true
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
