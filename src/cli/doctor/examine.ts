/** What `doctor` finds: backend, versions, limits, and advice. Knows what is good, not how it is shown. */
import { type BackendInfo, backendInfo } from '../../transport/choose.js'
import { describeError } from '../exit.js'
import { packageVersion } from '../package.js'
import { type SystemLimits, systemLimits } from './system.js'

export interface Versions {
  readonly framewire: string
  readonly runtime: string
  readonly nodeApi: string | null
  readonly libuv: string | null
  readonly platform: string
  /** glibc's version, 'musl', or null where there is neither. */
  readonly libc: string | null
}

export interface Diagnosis {
  readonly backend:
    | BackendInfo
    | { readonly backend: null; readonly reason: string; readonly binding: null; readonly nodeApi: null }
  /** What would make it native; empty when it is. */
  readonly remedies: readonly string[]
  readonly versions: Versions
  readonly limits: SystemLimits
  /** Limits that are low, each with what to do. */
  readonly advice: readonly string[]
}

export function examine(): Diagnosis {
  const backend = chosenBackend()
  const limits = systemLimits()
  return { backend, remedies: remedies(backend), versions: versions(), limits, advice: advice(limits) }
}

function chosenBackend(): Diagnosis['backend'] {
  try {
    return backendInfo()
  } catch (error) {
    // FRAMEWIRE_BACKEND asks for what cannot be had: the error says so, and that is the finding.
    return { backend: null, reason: describeError(error), binding: null, nodeApi: null }
  }
}

function remedies({ backend, reason }: Diagnosis['backend']): string[] {
  if (backend === 'native') return []
  if (process.env.FRAMEWIRE_BACKEND === 'js') return ['unset FRAMEWIRE_BACKEND: it asks for the JS backend']
  if (backend === null)
    return [
      'unset FRAMEWIRE_BACKEND, or set it to auto: then the JS backend is used where the addon cannot be',
    ]
  if (process.versions.bun !== undefined || process.versions.deno !== undefined) {
    return ['run it on Node.js, or set FRAMEWIRE_BACKEND=native to try the addon on this runtime']
  }
  if (/addons are disabled|permission/.test(reason)) {
    return [
      'start Node.js without --no-addons; with --permission add --allow-addons and let it read the package',
    ]
  }
  const build = 'compile it here: npx framewire build-native (needs Python 3, make and a C++17 compiler)'
  return /does not load|not of this version/.test(reason)
    ? ['reinstall framewire: the file may be damaged, or made for another system or libc', build]
    : [build, 'use a platform that has a prebuild: docs/compatibility.md lists them']
}

function versions(): Versions {
  const { bun, deno } = process.versions
  const runtime =
    bun !== undefined ? `Bun ${bun}` : deno !== undefined ? `Deno ${deno}` : `Node.js ${process.version}`
  return {
    framewire: packageVersion(),
    runtime,
    nodeApi: process.versions.napi ?? null,
    libuv: process.versions.uv ?? null,
    platform: `${process.platform}-${process.arch}`,
    libc: libc(),
  }
}

function libc(): string | null {
  if (process.platform !== 'linux') return null
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined
  const glibc = report?.header?.glibcVersionRuntime
  return glibc === undefined ? 'musl' : `glibc ${glibc}`
}

/** Below these a busy server meets the limit first. */
const ENOUGH = { descriptors: 65_536, somaxconn: 4096, buffers: 212_992 }

function advice({ descriptors, somaxconn, socketBuffers }: SystemLimits): string[] {
  const found: string[] = []
  const { soft, hard } = descriptors
  if (soft !== null && soft < ENOUGH.descriptors) {
    const raise =
      hard !== null && hard > soft
        ? `ulimit -n ${Math.min(hard, ENOUGH.descriptors)}`
        : 'LimitNOFILE= in the unit'
    found.push(`${soft} descriptors: that is how many connections and files there can be; raise it: ${raise}`)
  }
  if (somaxconn !== null && somaxconn < ENOUGH.somaxconn) {
    found.push(
      `somaxconn ${somaxconn}: more clients that connect at once wait or are refused; raise it: sysctl -w net.core.somaxconn=${ENOUGH.somaxconn}`,
    )
  }
  const { sendMax } = socketBuffers
  if (sendMax !== null && sendMax < ENOUGH.buffers) {
    found.push(
      `socket buffers of at most ${sendMax} bytes: large frames need more turns; raise it: sysctl -w net.core.wmem_max=${ENOUGH.buffers}`,
    )
  }
  return found
}
