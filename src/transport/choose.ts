/**
 * Which transport carries a server or client, and why. Knows the runtime, the environment and what loading the addon
 * gave; it does not know how either transport works.
 *
 * The option `backend: 'native' | 'js'` decides; without it, or with 'auto', FRAMEWIRE_BACKEND does; then 'auto'. In
 * 'auto' an absent binary is nothing to speak of (the reason says it), a binary that is there and does not load is
 * warned of once. 'native' never falls back.
 */
import cluster from 'node:cluster'
import { FrameError, optionError } from '../errors.js'
import type { Transport } from './contract.js'
import { createJsTransport } from './js/index.js'
import { type LoadedBinary, loadBinary } from './native/binary.cjs'
import type { Binding } from './native/binding.js'
import { createNativeTransport } from './native/transport.js'

export const BACKENDS = ['auto', 'native', 'js'] as const
export type BackendName = (typeof BACKENDS)[number]

export interface BackendInfo {
  /** What a server or client gets that does not ask for one. */
  readonly backend: 'native' | 'js'
  /** Why it is this one, in a sentence. */
  readonly reason: string
  /** File of the addon that is loaded, null on the js backend. */
  readonly binding: string | null
  /** Version of Node-API that the runtime offers, null where it has none. */
  readonly nodeApi: number | null
}

/** What only one of the transports can do. */
export interface TransportNeeds {
  /** TLS: the js transport. */
  readonly tls: boolean
  /** Credentials of the peer at accept: the native transport. */
  readonly peer: boolean
}

const NO_NEEDS: TransportNeeds = Object.freeze({ tls: false, peer: false })

/** What is asked of the machine, so that a test can answer instead. @internal */
export interface ChooserHost {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Name of a runtime other than Node.js on a POSIX system. */
  readonly otherRuntime: string | undefined
  readonly clusterWorker: boolean
  /** The permission model is on. */
  readonly permission: boolean
  readonly nodeApi: string | undefined
  load(): LoadedBinary
  /** Throws when the binary is not the one this version needs. */
  createNative(binding: unknown): Transport
  createJs(duplicate: (fd: number) => number): Transport
  warn(message: string, detail: string): void
}

type Native =
  | { readonly kind: 'loaded'; readonly file: string; readonly transport: Transport }
  | { readonly kind: 'absent' | 'broken'; readonly why: string; readonly cause: unknown }

interface Choice {
  readonly backend: 'native' | 'js'
  readonly reason: string
}

const REMEDIES = {
  absent: [
    'reinstall framewire on a platform that has a prebuild, and keep its folder out of bundles',
    'compile the addon for this platform: npx framewire build-native',
    'start Node.js without --no-addons, and with --allow-addons where --permission is on',
    "use the JS backend: backend 'js' or 'auto', FRAMEWIRE_BACKEND=js",
  ],
  broken: [
    'reinstall framewire: the file may be damaged, or made for another system or libc',
    'compile the addon for this platform: npx framewire build-native',
    "use the JS backend: backend 'js', FRAMEWIRE_BACKEND=js",
  ],
} as const

/** Chooses, and remembers what must happen once: loading the addon, and warning that it does not load. @internal */
export class BackendChooser {
  readonly #host: ChooserHost
  #native: Native | undefined
  #js: Transport | undefined
  #warned = false

  constructor(host: ChooserHost) {
    this.#host = host
  }

  /** The transport for an option `backend` and what it must be able to do. Errors as {@link chooseTransport}. */
  choose(option: BackendName | undefined, needs: TransportNeeds): Transport {
    const asked = this.#asked(option)
    if (needs.tls && needs.peer) throw unsupported('tls needs the js backend, allowPeer the native one')
    if (needs.tls) {
      if (asked.name === 'native')
        throw unsupported(`tls needs the js backend, and native was asked for ${asked.by}`)
      return this.#jsTransport()
    }
    const { backend, reason } = this.#decide(asked)
    if (backend === 'native') return this.#loaded()
    if (needs.peer) throw unsupported(`allowPeer needs the native backend: ${reason}`)
    return this.#jsTransport()
  }

  info(): BackendInfo {
    const { backend, reason } = this.#decide(this.#asked(undefined))
    const nodeApi = this.#host.nodeApi === undefined ? null : Number(this.#host.nodeApi)
    const binding = backend === 'native' && this.#native?.kind === 'loaded' ? this.#native.file : null
    return { backend, reason, binding, nodeApi }
  }

  #asked(option: BackendName | undefined): { readonly name: BackendName; readonly by: string } {
    if (option !== undefined && option !== 'auto')
      return { name: checkName('backend', option), by: 'by the option backend' }
    const variable = this.#host.env.FRAMEWIRE_BACKEND
    if (variable === undefined || variable === '') return { name: 'auto', by: '' }
    return { name: checkName('FRAMEWIRE_BACKEND', variable), by: `by FRAMEWIRE_BACKEND=${variable}` }
  }

  #decide({ name, by }: { readonly name: BackendName; readonly by: string }): Choice {
    const { otherRuntime, clusterWorker } = this.#host
    if (name === 'js') return { backend: 'js', reason: `asked for ${by}` }
    if (name === 'native') {
      this.#loaded()
      return { backend: 'native', reason: `asked for ${by}` }
    }
    if (otherRuntime !== undefined) {
      return { backend: 'js', reason: `${otherRuntime} runs the js backend unless native is asked for` }
    }
    if (clusterWorker) {
      return {
        backend: 'js',
        reason: 'workers of node:cluster share listening sockets through node:net only',
      }
    }
    const native = this.#loadOnce()
    if (native.kind === 'loaded') return { backend: 'native', reason: 'the addon loaded' }
    if (native.kind === 'broken') this.#warnOnce(native.why)
    return { backend: 'js', reason: native.why }
  }

  /** @throws {FrameError} `ERR_FRAME_BACKEND_UNAVAILABLE` */
  #loaded(): Transport {
    const native = this.#loadOnce()
    if (native.kind === 'loaded') return native.transport
    const remedies = REMEDIES[native.kind].map((remedy) => `\n- ${remedy}`).join('')
    throw new FrameError('ERR_FRAME_BACKEND_UNAVAILABLE', {
      message: `The native backend could not be loaded: ${native.why}. What helps:${remedies}`,
      cause: native.cause,
    })
  }

  #loadOnce(): Native {
    this.#native ??= this.#load()
    return this.#native
  }

  #load(): Native {
    const found = this.#host.load()
    if (found.status === 'broken') return { kind: 'broken', why: found.reason, cause: found.cause }
    if (found.status === 'absent') {
      // Under the permission model a folder that may not be read looks empty.
      const why = this.#host.permission ? `${found.reason} (the permission model is on)` : found.reason
      return { kind: 'absent', why, cause: undefined }
    }
    try {
      return { kind: 'loaded', file: found.path, transport: this.#host.createNative(found.binding) }
    } catch (cause) {
      const text = cause instanceof Error ? cause.message : String(cause)
      return { kind: 'broken', why: `${found.path} is not of this version: ${text}`, cause }
    }
  }

  #warnOnce(why: string): void {
    if (this.#warned) return
    this.#warned = true
    this.#host.warn(
      `framewire runs on its JS backend, the native addon failed to load: ${why}`,
      REMEDIES.broken.map((remedy) => `- ${remedy}`).join('\n'),
    )
  }

  #jsTransport(): Transport {
    this.#js ??= this.#host.createJs((fd) => this.#duplicate(fd))
    return this.#js
  }

  /** What takes a system call of the addon's, whichever transport asks. @throws {FrameError} `ERR_FRAME_BACKEND_UNSUPPORTED` */
  #duplicate(fd: number): number {
    const native = this.#loadOnce()
    if (native.kind === 'loaded' && native.transport.duplicate) return native.transport.duplicate(fd)
    const why = native.kind === 'loaded' ? 'it has none here' : native.why
    throw unsupported(
      `listen({ fd }) in a worker thread needs the addon, for a descriptor of its own: ${why}`,
    )
  }
}

function checkName(option: string, value: string): BackendName {
  if ((BACKENDS as readonly string[]).includes(value)) return value as BackendName
  throw optionError(option, "'auto', 'native' or 'js'", value)
}

function unsupported(message: string): FrameError {
  return new FrameError('ERR_FRAME_BACKEND_UNSUPPORTED', { message })
}

function otherRuntime(): string | undefined {
  // Named pipes are node:net's there.
  if (process.platform === 'win32') return 'Windows'
  if (process.versions.bun !== undefined) return 'Bun'
  return process.versions.deno === undefined ? undefined : 'Deno'
}

/**
 * The one object this module keeps: an addon is loaded once per module instance whatever anybody does, and "warned
 * once" needs someone who remembers. It holds no settings and nothing of any server or client.
 */
const chooser = new BackendChooser({
  get env() {
    return process.env
  },
  otherRuntime: otherRuntime(),
  clusterWorker: cluster.isWorker === true,
  permission: (process as { permission?: unknown }).permission !== undefined,
  nodeApi: process.versions.napi,
  load: loadBinary,
  createNative: (binding) => createNativeTransport(binding as Binding),
  createJs: (duplicate) => createJsTransport(duplicate),
  warn: (message, detail) =>
    process.emitWarning(message, { type: 'FramewireWarning', code: 'FRAMEWIRE_BACKEND', detail }),
})

/**
 * The transport for an option `backend`.
 * @throws {FrameError} `ERR_FRAME_BACKEND_UNAVAILABLE` when native is asked for and cannot load,
 * `ERR_FRAME_BACKEND_UNSUPPORTED` when it cannot do what `needs` names; {TypeError} `ERR_FRAME_OPTION_INVALID`.
 */
export function chooseTransport(
  backend: BackendName | undefined,
  needs: TransportNeeds = NO_NEEDS,
): Transport {
  return chooser.choose(backend, needs)
}

/** Which backend a server or client gets that does not ask for one, and why. Loads the addon when it is wanted. */
export function backendInfo(): BackendInfo {
  return chooser.info()
}
