/**
 * A proxy of streams: every byte goes on as it came, ends and resets too, and a side that does not read holds up the other.
 * Whoever watches gets each chunk after it was passed on. Knows sockets, not frames.
 */
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import type { Endpoint } from '../flags.js'
import type { Direction } from './show.js'

export interface ProxyWatch {
  chunk(direction: Direction, bytes: Buffer): void
  end(direction: Direction): void
  closed(): void
  failed(error: Error, side: 'client' | 'server'): void
}

export class StreamProxy {
  readonly server: Server
  readonly #to: Endpoint
  readonly #watch: () => ProxyWatch
  readonly #sockets = new Set<Socket>()

  /** `watch` is asked for each connection. */
  constructor(to: Endpoint, watch: () => ProxyWatch) {
    this.#to = to
    this.#watch = watch
    this.server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (client) =>
      this.#accept(client),
    )
  }

  /** Stops accepting and cuts what is open. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #accept(client: Socket): void {
    const watch = this.#watch()
    const upstream = createConnection({ ...this.#to, allowHalfOpen: true, noDelay: true })
    let open = 2
    const onClose = (socket: Socket, other: Socket, failed: boolean) => {
      this.#sockets.delete(socket)
      if (failed) reset(other)
      open--
      if (open === 0) watch.closed()
    }
    for (const [socket, other, side] of [
      [client, upstream, 'client'],
      [upstream, client, 'server'],
    ] as const) {
      this.#sockets.add(socket)
      socket.on('error', (error) => watch.failed(error, side))
      socket.on('close', (failed) => onClose(socket, other, failed))
    }
    upstream.once('connect', () => {
      forward(
        client,
        upstream,
        (bytes) => watch.chunk('up', bytes),
        () => watch.end('up'),
      )
      forward(
        upstream,
        client,
        (bytes) => watch.chunk('down', bytes),
        () => watch.end('down'),
      )
    })
  }
}

/** `pipe` by hand, so that what is watched was passed on before. */
function forward(from: Socket, to: Socket, onChunk: (bytes: Buffer) => void, onEnd: () => void): void {
  from.on('data', (bytes: Buffer) => {
    if (!to.write(bytes)) from.pause()
    onChunk(bytes)
  })
  to.on('drain', () => from.resume())
  from.on('end', () => {
    to.end()
    onEnd()
  })
  from.resume()
}

/** The other side learns that the connection broke, and does not take it for an end. */
function reset(socket: Socket): void {
  // Only TCP knows a reset.
  if (socket.remoteAddress === undefined) socket.destroy()
  else socket.resetAndDestroy()
}
