/** `framewire serve`: flags, and which of the two ways to run they ask for. */
import { resolve } from 'node:path'
import type { ListenOptions } from '../../server/index.js'
import { command } from '../command.js'
import { EXIT, UsageError } from '../exit.js'
import {
  BACKEND_FLAG,
  choice,
  FORMAT_FLAGS,
  formatEndpoint,
  JSON_FLAG,
  parseBytes,
  parseCount,
  parseFormat,
  parseMode,
  parseTime,
  socketPath,
  TARGET_FLAGS,
  targetOf,
} from '../flags.js'
import { inheritedSocket } from './activation.js'
import { checkSocket } from './descriptor.js'
import { Log } from './log.js'
import { parseOwner } from './owner.js'
import type { FlagOptions, ServePlan } from './plan.js'
import { Service } from './service.js'
import { SharedSocket, type SocketTarget } from './shared-socket.js'
import { type StatusSource, serveStatus } from './status.js'
import { Supervisor } from './supervisor.js'

const time = (description: string) => ({ type: 'string', valueHint: 'ms', description }) as const
const count = (description: string) => ({ type: 'string', valueHint: 'number', description }) as const

const ARGS = {
  handler: {
    type: 'positional',
    required: true,
    description: 'Module whose default export is (payload, ctx) => reply',
  },
  ...TARGET_FLAGS,
  fd: count(
    'Inherited descriptor of a listening socket; a service manager that hands one over needs no flag',
  ),
  mode: {
    type: 'string',
    valueHint: 'octal',
    description: 'Permission bits of the socket file, such as 0660',
  },
  owner: { type: 'string', valueHint: 'user:group', description: 'Owner of the socket file' },
  backlog: count('Connections the system keeps waiting; default 4096'),
  workers: count('Processes that share the socket, supervised; default 1: this one'),
  exchange: choice(['stream', 'once'], 'once: one frame each way, then close; default stream'),
  serialization: choice(
    ['buffer', 'text', 'json'],
    'What payloads and replies are to the handler; default buffer',
  ),
  ...FORMAT_FLAGS,
  'memory-budget': {
    type: 'string',
    valueHint: 'bytes',
    description: 'Bytes in unfinished and queued frames, per process; default 256MiB',
  },
  'high-water-mark': {
    type: 'string',
    valueHint: 'bytes',
    description: 'Queued bytes of a connection at which sending pauses; default 256KiB',
  },
  'max-connections': count('Connections at a time, per process'),
  'max-pending-requests': count('Requests in hand per connection; default 1024'),
  'first-byte-timeout': time('Accept to the first byte; 0 = off'),
  'header-timeout': time('First to last byte of a header; default 30s, with once 1s'),
  'body-timeout': time('Header to the last byte of a frame; default 120s, with once 1s'),
  'idle-timeout': time('Nothing in either direction; default off'),
  'write-timeout': time('Peer does not read what is queued; default 60s, with once 10s'),
  'drain-timeout': time('How long requests in hand may take at the end; default 5s'),
  ...BACKEND_FLAG,
  status: {
    type: 'string',
    valueHint: 'file',
    description: 'Unix socket that answers each frame with live counters as JSON',
  },
  json: { type: 'boolean', description: 'Log events as lines of JSON on stdout instead of text on stderr' },
} as const

export default command({
  name: 'serve',
  description: 'Answer requests with a handler module',
  args: { ...ARGS, ...JSON_FLAG, json: ARGS.json },
  examples: [
    [
      'framewire serve handler.mjs --path /run/app/app.sock --mode 0660 --owner :www-data',
      'A unix socket for a web server',
    ],
    [
      'framewire serve handler.mjs --path /run/app/app.sock --exchange once',
      'One frame each way per connection',
    ],
    [
      'framewire serve handler.mjs --port 8000 --workers 4 --status /run/app/status.sock',
      'Four supervised processes',
    ],
    ['framewire send --path /run/app/status.sock ""', 'What they are doing'],
    ['kill -HUP <pid>', 'Replace the workers one by one, for new code'],
  ],
  async run(args, terminal) {
    const workers = parseCount('workers', args.workers, 1, 1024) ?? 1
    const plan: ServePlan = {
      handler: resolve(args.handler),
      options: {
        backend: args.backend as FlagOptions['backend'],
        exchange: args.exchange as FlagOptions['exchange'],
        serialization: args.serialization as FlagOptions['serialization'],
        format: parseFormat(args.format),
        maxFrameLength: parseBytes('max-frame-length', args['max-frame-length']),
        memoryBudget: parseBytes('memory-budget', args['memory-budget']),
        highWaterMark: parseBytes('high-water-mark', args['high-water-mark']),
        maxConnections: parseCount('max-connections', args['max-connections']),
        maxPendingRequests: parseCount('max-pending-requests', args['max-pending-requests'], 1),
        firstByteTimeout: parseTime('first-byte-timeout', args['first-byte-timeout']),
        headerTimeout: parseTime('header-timeout', args['header-timeout']),
        bodyTimeout: parseTime('body-timeout', args['body-timeout']),
        idleTimeout: parseTime('idle-timeout', args['idle-timeout']),
        writeTimeout: parseTime('write-timeout', args['write-timeout']),
      },
      backlog: parseCount('backlog', args.backlog, 1),
      drainTimeout: parseTime('drain-timeout', args['drain-timeout']) ?? 5000,
    }
    const target = socketTarget(args)
    const log = new Log(terminal, args.json === true)
    const status = args.status === undefined ? undefined : socketPath(args.status)
    const ends = endSignals()
    const run = workers === 1 ? serveHere : serveWithWorkers
    await run({ plan, target, log, status, ends, workers })
    return EXIT.OK
  },
})

interface Run {
  readonly plan: ServePlan
  readonly target: SocketTarget
  readonly log: Log
  readonly status: string | undefined
  readonly ends: Promise<NodeJS.Signals>
  readonly workers: number
}

function socketTarget(args: {
  path?: string
  port?: string
  host?: string
  fd?: string
  mode?: string
  owner?: string
}): SocketTarget {
  const target = targetOf(args)
  const fd = parseCount('fd', args.fd, 0, 2 ** 31 - 1)
  const mode = parseMode(args.mode)
  const owner = parseOwner(args.owner)
  if (target !== undefined && fd !== undefined) throw new UsageError('--fd excludes --path and --port')
  if ((mode ?? owner) !== undefined && !(target !== undefined && 'path' in target)) {
    throw new UsageError('--mode and --owner go with --path')
  }
  if (target !== undefined) return 'path' in target ? { ...target, mode, owner } : target
  const inherited = fd ?? inheritedSocket()
  if (inherited === undefined)
    throw new UsageError('where to listen: --path, --port, --fd, or a socket unit of systemd')
  checkSocket(inherited)
  return { fd: inherited }
}

/** The first signal that asks for the end. The second one ends at once. */
function endSignals(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false
    const onSignal = (signal: NodeJS.Signals) => {
      if (asked) process.exit(EXIT.FAILED)
      asked = true
      resolve(signal)
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
  })
}

function addressText(address: object): string {
  const { path, host, port, fd } = address as { path?: string; host?: string; port?: number; fd?: number }
  if (fd !== undefined) return `descriptor ${fd}`
  return formatEndpoint(path === undefined ? { host, port: port! } : { path })
}

async function serveHere({ plan, target, log, status, ends }: Run): Promise<void> {
  const onProblem = (message: string) => log.event('problem', message, { message })
  const service = await Service.start(plan, target as ListenOptions, onProblem)
  const { address, backend } = service
  // Without workers there is nobody to hand over to: as SIGTERM.
  const hangUp = new Promise<NodeJS.Signals>((resolve) => process.on('SIGHUP', resolve))
  try {
    await withStatus(status, { address, restarts: 0, stats: async () => [service.stats()] }, async () => {
      const where = addressText('fd' in target ? target : address)
      log.event('listening', `listening on ${where} (${backend} backend)`, {
        address: where,
        backend,
        pid: process.pid,
      })
      const signal = await Promise.race([ends, hangUp])
      log.event('draining', `${signal}: finishing what is in hand`, { signal })
    })
  } finally {
    await service.drain()
  }
  log.event('stopped', 'stopped')
  // A handler may keep timers or connections of its own.
  setImmediate(() => process.exit(EXIT.OK))
}

async function serveWithWorkers(run: Run): Promise<void> {
  const { plan, target, log, workers } = run
  const socket = await SharedSocket.bind(target, plan.options.backend)
  const supervisor = new Supervisor(plan, socket, workers, log)
  try {
    await supervise(run, supervisor, socket.address)
  } finally {
    await socket.unpublish()
    const stopped = supervisor.stop()
    // Once the workers have stopped listening nobody does, and who comes is refused. A socket that was handed over is not
    // ours to close: there connections wait for whoever serves it next.
    await socket.close()
    await stopped
  }
  log.event('stopped', 'stopped')
}

async function supervise(run: Run, supervisor: Supervisor, address: object): Promise<void> {
  const { log, status, ends, workers } = run
  let serving = false
  // Listened to from the first moment to the last: a hang-up at the wrong one must not end the process.
  process.on('SIGHUP', () => {
    if (!serving) return
    log.event('reloading', 'SIGHUP: replacing the workers one by one')
    void supervisor.reload()
  })
  const started = supervisor.start()
  const signalled = await Promise.race([started, ends])
  if (signalled !== undefined) {
    // What it was about to say is no longer of interest.
    started.catch(() => undefined)
    log.event('draining', `${signalled}: not started yet`, { signal: signalled })
    return
  }
  const source: StatusSource = {
    address,
    get restarts() {
      return supervisor.restarts
    },
    stats: () => supervisor.stats(),
  }
  await withStatus(status, source, async () => {
    const where = addressText(address)
    const fields = { address: where, workers, pid: process.pid }
    log.event('listening', `listening on ${where} with ${workers} workers`, fields)
    serving = true
    const signal = await ends
    serving = false
    log.event('draining', `${signal}: draining the workers`, { signal })
  })
}

async function withStatus(
  path: string | undefined,
  source: StatusSource,
  use: () => Promise<void>,
): Promise<void> {
  const server = path === undefined ? undefined : await serveStatus(path, source)
  try {
    await use()
  } finally {
    await server?.close({ timeout: 1000 })
  }
}
