/** `framewire tap`: a proxy that shows the frames that pass. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { resolveFormat } from '../../format.js'
import { SocketPath } from '../../server/unix-path.js'
import { AbstractNames } from '../../transport/js/abstract-name.js'
import { isNamespaceName } from '../../transport/unix-address.js'
import { command } from '../command.js'
import { describeError, EXIT, UsageError } from '../exit.js'
import {
  choice,
  type Endpoint,
  FORMAT_FLAGS,
  formatEndpoint,
  parseBytes,
  parseEndpoint,
  parseFormat,
  parseMode,
} from '../flags.js'
import { type ProxyWatch, StreamProxy } from './proxy.js'
import { type Direction, type Shape, Show } from './show.js'
import { FrameWatcher } from './watcher.js'

const ARGS = {
  listen: {
    type: 'string',
    valueHint: 'socket',
    description: 'Where clients connect: a path, @name, port or host:port',
  },
  to: { type: 'string', valueHint: 'socket', description: 'The real server' },
  format: FORMAT_FLAGS.format,
  show: choice(['auto', 'text', 'hex', 'none'], 'How payloads are shown', 'auto'),
  bytes: { type: 'string', valueHint: 'bytes', description: 'How much of a payload is shown; default 128' },
  mode: {
    type: 'string',
    valueHint: 'octal',
    description: 'Permission bits of the socket file, such as 0660',
  },
  json: { type: 'boolean', description: 'A line of JSON for each frame' },
} as const

export default command({
  name: 'tap',
  description: 'Show the frames that pass between clients and a server',
  args: ARGS,
  examples: [
    ['framewire tap --listen /tmp/tap.sock --to /run/app.sock', 'Clients use /tmp/tap.sock meanwhile'],
    ['framewire tap --listen 9000 --to 10.0.0.5:8000 --show hex --bytes 32', 'TCP, the first bytes in hex'],
    ['framewire tap --listen /tmp/tap.sock --to 8000 --json | jq .length', 'For programs'],
  ],
  async run(args, terminal) {
    if (args.listen === undefined || args.to === undefined)
      throw new UsageError('tap needs --listen and --to')
    const from = parseEndpoint('listen', args.listen)
    const to = parseEndpoint('to', args.to)
    const mode = parseMode(args.mode)
    const format = resolveFormat(parseFormat(args.format))
    const bytes = parseBytes('bytes', args.bytes) ?? 128
    const show = new Show(terminal, { shape: args.show as Shape, bytes, json: args.json === true })
    const names = new AbstractNames()
    for (const end of [from, to]) if ('path' in end) await names.refusePadded(end.path)
    let connections = 0
    const proxy = new StreamProxy(to, () => {
      connections++
      return watch(
        show,
        connections,
        (onFrame, onLost) => new FrameWatcher(format, bytes, { onFrame, onLost }),
      )
    })
    const { address, release } = await listen(proxy, from, mode)
    terminal.note(`framewire: listening on ${address}, forwarding to ${formatEndpoint(to)}`)
    await ended()
    await release()
    await proxy.close()
    return EXIT.OK
  },
})

type MakeWatcher = (
  onFrame: FrameWatcherEvents['onFrame'],
  onLost: FrameWatcherEvents['onLost'],
) => FrameWatcher
type FrameWatcherEvents = ConstructorParameters<typeof FrameWatcher>[2]

function watch(show: Show, id: number, makeWatcher: MakeWatcher): ProxyWatch {
  const make = (direction: Direction) =>
    makeWatcher(
      (frame) => show.frame(id, direction, frame),
      (head) =>
        show.note(
          id,
          direction,
          'lost',
          `no frame of this format: ${head.toString('hex')} …; passed on unseen from here`,
        ),
    )
  const watchers = { up: make('up'), down: make('down') }
  show.note(id, undefined, 'open', 'connected')
  return {
    chunk: (direction, bytes) => watchers[direction].push(bytes),
    end: (direction) => {
      const unfinished = watchers[direction].insideFrame ? ', inside a frame' : ''
      show.note(id, direction, 'end', `end${unfinished}`)
    },
    closed: () => show.note(id, undefined, 'close', 'closed'),
    failed: (error, side) =>
      show.note(id, side === 'client' ? 'up' : 'down', 'error', `${side}: ${describeError(error)}`),
  }
}

interface Listening {
  readonly address: string
  /** Gives the path back. */
  release(): Promise<void>
}

async function listen({ server }: StreamProxy, from: Endpoint, mode: number | undefined): Promise<Listening> {
  const isFile = 'path' in from && !isNamespaceName(from.path)
  if (mode !== undefined && !isFile) throw new UsageError('--mode goes with a socket file')
  if (!isFile) {
    server.listen(from)
    await once(server, 'listening')
    const bound = server.address() as AddressInfo | string
    const address =
      typeof bound === 'string'
        ? formatEndpoint(from)
        : formatEndpoint({ host: bound.address, port: bound.port })
    return { address, release: async () => undefined }
  }
  const place = await SocketPath.prepare(from.path, { mode })
  try {
    server.listen({ path: place.bindPath })
    await once(server, 'listening')
    await place.publish()
  } catch (error) {
    await place.abandon()
    throw error
  }
  return { address: from.path, release: () => place.release() }
}

/** Settles at the first signal. */
function ended(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve())
  })
}
