/** Limits of this system that a server meets. Reads them; judges nothing. null: cannot be told here. */
import { readFileSync } from 'node:fs'

export interface SystemLimits {
  /** Descriptors this process may open: `soft` now, `hard` at most. */
  readonly descriptors: { readonly soft: number | null; readonly hard: number | null }
  /** Connections that wait to be accepted, at most, whatever `backlog` says. */
  readonly somaxconn: number | null
  /** TCP connections in the making. */
  readonly synBacklog: number | null
  /** Bytes: what a socket's buffers start with, and the most that can be set. */
  readonly socketBuffers: {
    readonly sendDefault: number | null
    readonly sendMax: number | null
    readonly receiveDefault: number | null
    readonly receiveMax: number | null
  }
  /** Ports for outgoing TCP connections to one address. */
  readonly localPorts: number | null
  /** Bytes that fit in the path of a unix socket. */
  readonly pathBytes: number
  /** What the memory of this process is held to, bytes; null: nothing but the machine. */
  readonly memoryLimit: number | null
}

export function systemLimits(): SystemLimits {
  const ports = kernelNumbers('net/ipv4/ip_local_port_range')
  return {
    descriptors: descriptorLimits(),
    somaxconn: kernelNumber('net/core/somaxconn'),
    synBacklog: kernelNumber('net/ipv4/tcp_max_syn_backlog'),
    socketBuffers: {
      sendDefault: kernelNumber('net/core/wmem_default'),
      sendMax: kernelNumber('net/core/wmem_max'),
      receiveDefault: kernelNumber('net/core/rmem_default'),
      receiveMax: kernelNumber('net/core/rmem_max'),
    },
    localPorts: ports.length === 2 ? ports[1] - ports[0] + 1 : null,
    pathBytes: process.platform === 'linux' ? 107 : 103,
    memoryLimit: memoryLimit(),
  }
}

/** Without a limit Node tells 0, nothing, or a number no machine has. */
function memoryLimit(): number | null {
  const limit = process.constrainedMemory?.() ?? 0
  return limit > 0 && limit < Number.MAX_SAFE_INTEGER ? limit : null
}

interface Report {
  readonly userLimits?: {
    readonly open_files?: { readonly soft: number | string; readonly hard: number | string }
  }
}

function descriptorLimits(): SystemLimits['descriptors'] {
  const limits = (process.report?.getReport() as Report | undefined)?.userLimits?.open_files
  const number = (value: number | string | undefined) =>
    value === 'unlimited' ? Number.POSITIVE_INFINITY : toNumber(value)
  return { soft: number(limits?.soft), hard: number(limits?.hard) }
}

function toNumber(value: number | string | undefined): number | null {
  const number = Number(value ?? Number.NaN)
  return Number.isFinite(number) ? number : null
}

function kernelNumber(name: string): number | null {
  return kernelNumbers(name)[0] ?? null
}

/** Linux keeps its settings in files; what is not there, or not for us, is not known. */
function kernelNumbers(name: string): number[] {
  if (process.platform !== 'linux') return []
  try {
    return readFileSync(`/proc/sys/${name}`, 'utf8').trim().split(/\s+/).map(Number)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'EACCES' || code === 'ERR_ACCESS_DENIED') return []
    throw error
  }
}
