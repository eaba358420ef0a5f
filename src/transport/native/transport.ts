/** The native transport: the addon's connections behind the contract. Knows nothing of how the addon was found. */
import * as net from 'node:net'
import { isMainThread } from 'node:worker_threads'
import type { Scanner } from '../../codec/scan.js'
import { FrameError } from '../../errors.js'
import type {
  Address,
  BudgetConfig,
  Channel,
  ChannelConfig,
  ConnectConfig,
  ConnectTarget,
  Listener,
  ListenerConfig,
  ListenerEvents,
  ListenTarget,
  Transport,
} from '../contract.js'
import { addressesOf } from '../names.js'
import { withinTime } from '../time-limit.js'
import type { Binding } from './binding.js'
import { NativeChannel, type Opening } from './channel.js'
import { ChannelTraits } from './channel-traits.js'
import { systemError, type Where } from './faults.js'
import { NativeHub } from './hub.js'
import { NativeListener } from './listener.js'
import { createNativeScanner } from './scanner.js'

/** `Infinity` for the addon, which counts connections in 32 bits. */
const MAX_COUNT = 2 ** 32 - 1

export function createNativeTransport(binding: Binding): Transport {
  return new NativeTransport(binding)
}

/** One configuration in use by connections made here. */
interface Shared {
  readonly id: number
  readonly traits: ChannelTraits
  uses: number
}

class NativeTransport implements Transport {
  readonly name = 'native'
  private hub: NativeHub | undefined
  private readonly shared = new Map<ConnectConfig, Shared>()

  constructor(private readonly binding: Binding) {}

  createScanner(): Scanner {
    return createNativeScanner(this.binding)
  }

  holdPath(path: string, backlog: number): number {
    const fd = this.binding.holdPath(Buffer.from(path), backlog)
    if (fd < 0) throw systemError(this.binding, fd, 'listen', path)
    return fd
  }

  duplicate(fd: number): number {
    const other = this.binding.duplicate(fd)
    if (other < 0) throw systemError(this.binding, other, 'listen', `fd ${fd}`)
    return other
  }

  async listen(target: ListenTarget, config: ListenerConfig, events: ListenerEvents): Promise<Listener> {
    refuseTls(config.tls)
    const hub = this.open()
    const number = hub.nextListener()
    const configId = createConfig(this.binding, config)
    const most = Math.min(config.maxConnections, MAX_COUNT)
    const rest = [target.backlog, most, config.needPeer, !config.lazy || config.needPeer] as const
    const { binding } = this
    let status: number
    let where: Where
    if (target.kind === 'path') {
      where = target.path
      status = binding.listenPath(configId, number, Buffer.from(target.path), ...rest)
    } else if (target.kind === 'fd') {
      where = `fd ${target.fd}`
      // Other threads may listen on it: who closes it closes it for all of them.
      status = binding.listenDescriptor(configId, number, target.fd, !isMainThread, ...rest)
    } else {
      // As node:net: all addresses, of both families where the system has IPv6.
      const host = target.host ?? '::'
      where = { address: host, port: target.port }
      status = binding.listenTcp(configId, number, host, target.port, ...rest)
      if (target.host === undefined && status < 0 && isNoIpv6(binding, status)) {
        status = binding.listenTcp(configId, number, '0.0.0.0', target.port, ...rest)
      }
    }
    if (status < 0) {
      binding.dropConfig(configId)
      throw systemError(binding, status, 'listen', where)
    }
    const address: Address = binding.listenerAddress(number) ?? {
      path: target.kind === 'path' ? target.path : '',
    }
    const listener = new NativeListener(hub, number, configId, config, events, address)
    hub.listeners.set(number, listener)
    return listener
  }

  async connect(
    target: ConnectTarget,
    config: ConnectConfig,
    signal: AbortSignal | undefined,
  ): Promise<Channel> {
    refuseTls(config.tls)
    signal?.throwIfAborted()
    if (target.kind === 'path') {
      const path = Buffer.from(target.path)
      return this.dial(config, signal, target.path, (id) => this.binding.connectPath(id, path))
    }
    const { port } = target
    const addresses = await addressesOf(target.host ?? 'localhost', signal)
    const last = addresses.pop() as string
    for (const address of addresses) {
      try {
        return await withinTime(attemptTimeout(), unheard, signal, (attempt) =>
          this.dialTcp(config, attempt, address, port),
        )
      } catch {
        // Another address may be the one that is listened on; what the last one says is what counts.
        signal?.throwIfAborted()
      }
    }
    return this.dialTcp(config, signal, last, port)
  }

  private dialTcp(
    config: ConnectConfig,
    signal: AbortSignal | undefined,
    address: string,
    port: number,
  ): Promise<Channel> {
    const where = { address, port }
    return this.dial(config, signal, where, (id) => this.binding.connectTcp(id, address, port))
  }

  /** Connections made with one configuration object share its memory budget. */
  private dial(
    config: ConnectConfig,
    signal: AbortSignal | undefined,
    where: Where,
    connect: (configId: number) => number,
  ): Promise<Channel> {
    const hub = this.open()
    const shared = this.shared.get(config) ?? share(hub, config)
    const slot = connect(shared.id)
    if (slot < 0) {
      if (shared.uses === 0) this.binding.dropConfig(shared.id)
      return Promise.reject(systemError(this.binding, slot, 'connect', where))
    }
    this.shared.set(config, shared)
    shared.uses++
    const released = (): void => {
      shared.uses--
      if (shared.uses > 0) return
      this.shared.delete(config)
      this.binding.dropConfig(shared.id)
    }
    return new Promise((resolve, reject) => {
      const settled = (): void => signal?.removeEventListener('abort', abort)
      const opening: Opening = {
        resolve: (channel) => {
          settled()
          resolve(channel)
        },
        reject: (error: NodeJS.ErrnoException) => {
          settled()
          reject(error.errno === undefined ? error : systemError(this.binding, error.errno, 'connect', where))
        },
      }
      const channel = new NativeChannel(shared.traits, slot, opening, released)
      const abort = (): void => {
        channel.abandon()
        reject(signal?.reason as Error)
      }
      signal?.addEventListener('abort', abort, { once: true })
      hub.add(slot, channel)
    })
  }

  /** Made when it is first needed, so that a process that only asks for the backend costs nothing. */
  private open(): NativeHub {
    this.hub ??= new NativeHub(this.binding)
    return this.hub
  }
}

function refuseTls(tls: object | undefined): void {
  if (tls === undefined) return
  throw new FrameError('ERR_FRAME_BACKEND_UNSUPPORTED', {
    message: 'TLS needs the js backend (backend: "js")',
  })
}

/** Nobody is told why an attempt ended before another one. */
function unheard(): void {}

/** How long an address may be silent before the next one is tried, ms. As node:net, which not every runtime asks. */
function attemptTimeout(): number {
  return net.getDefaultAutoSelectFamilyAttemptTimeout?.() ?? 250
}

function isNoIpv6(binding: Binding, status: number): boolean {
  const [code] = binding.errorName(status)
  return code === 'EAFNOSUPPORT' || code === 'EINVAL' || code === 'EADDRNOTAVAIL'
}

function share(hub: NativeHub, config: ConnectConfig): Shared {
  const id = createConfig(hub.binding, config)
  return { id, traits: new ChannelTraits(hub, config, id), uses: 0 }
}

function createConfig(binding: Binding, config: ChannelConfig & BudgetConfig): number {
  return binding.createConfig({
    ...config,
    maxFrameLength: config.maxFrameLength,
    memoryBudget: Math.min(config.memoryBudget, Number.MAX_SAFE_INTEGER),
  })
}
