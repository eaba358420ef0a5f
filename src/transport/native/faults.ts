/** What the addon says went wrong, as the errors of the package. */
import { type HintName, hintText } from '../../codec/sniff.js'
import { type ErrorCode, FrameError } from '../../errors.js'
import type { ChannelConfig } from '../contract.js'
import type { Binding, FaultRow } from './binding.js'

/** By the values of `FaultCode` in native/transport/connection.hpp. */
const CODES: readonly (ErrorCode | undefined)[] = [
  undefined,
  'ERR_FRAME_TOO_LARGE',
  'ERR_FRAME_LENGTH_INVALID',
  'ERR_FRAME_TRUNCATED',
  'ERR_FRAME_FIRST_BYTE_TIMEOUT',
  'ERR_FRAME_HEADER_TIMEOUT',
  'ERR_FRAME_BODY_TIMEOUT',
  'ERR_FRAME_IDLE_TIMEOUT',
  'ERR_FRAME_WRITE_TIMEOUT',
  'ERR_FRAME_MEMORY_BUDGET',
  'ERR_FRAME_MEMORY_BUDGET',
  'ERR_FRAME_PAYLOAD_DETACHED',
  'ERR_FRAME_CONNECTION_LOST',
  'ERR_FRAME_CONNECTION_LOST',
  'ERR_FRAME_CONNECTION_LOST',
]
const OUT_OF_MEMORY = 10
const WRITE_FAILED = 14

/** Errors of a frame that did not arrive whole; of others it means nothing how much of it was there. */
const CUT_SHORT: ReadonlySet<ErrorCode> = new Set([
  'ERR_FRAME_TRUNCATED',
  'ERR_FRAME_HEADER_TIMEOUT',
  'ERR_FRAME_BODY_TIMEOUT',
])

/** By the values of `Hint` in native/core/sniff.hpp. */
const HINT_NAMES: readonly (HintName | undefined)[] = [
  undefined,
  'http',
  'tls',
  'other-endian',
  'counts-header',
]

const LIMITS: Partial<Record<ErrorCode, keyof ChannelConfig>> = {
  ERR_FRAME_TOO_LARGE: 'maxFrameLength',
  ERR_FRAME_FIRST_BYTE_TIMEOUT: 'firstByteTimeout',
  ERR_FRAME_HEADER_TIMEOUT: 'headerTimeout',
  ERR_FRAME_BODY_TIMEOUT: 'bodyTimeout',
  ERR_FRAME_IDLE_TIMEOUT: 'idleTimeout',
  ERR_FRAME_WRITE_TIMEOUT: 'writeTimeout',
}

/** A path, or what a TCP socket is bound to. */
export type Where = string | { readonly address: string; readonly port: number }

/** A libuv error code as Node reports it: `code`, `errno`, `syscall`, `address`, `port`. */
export function systemError(
  binding: Binding,
  status: number,
  syscall: string,
  where?: Where,
): NodeJS.ErrnoException {
  const [code, text] = binding.errorName(status)
  const place = typeof where === 'string' ? { address: where } : where
  const at =
    where === undefined ? '' : ` ${typeof where === 'string' ? where : `${where.address}:${where.port}`}`
  const error: NodeJS.ErrnoException = new Error(`${syscall} ${code}: ${text}${at}`)
  return Object.assign(error, {
    code,
    errno: status,
    syscall,
    ...place,
  })
}

export function faultError(
  binding: Binding,
  row: FaultRow,
  config: ChannelConfig & { memoryBudget?: number },
  connectionId: number,
): FrameError {
  const [number, system, declared, received, hint, , suspected] = row
  const code = CODES[number] ?? 'ERR_FRAME_CONNECTION_LOST'
  const name = HINT_NAMES[hint]
  const limited = LIMITS[code]
  const limit = limited === undefined ? undefined : (config[limited] as number)
  const reportsFrame = CUT_SHORT.has(code)
  return new FrameError(code, {
    message: number === OUT_OF_MEMORY ? 'No memory for a partial or queued frame' : undefined,
    declared: declared >= 0 ? declared : undefined,
    received: reportsFrame ? received : undefined,
    limit: code === 'ERR_FRAME_MEMORY_BUDGET' && number !== OUT_OF_MEMORY ? config.memoryBudget : limit,
    hint: name === undefined ? undefined : hintText(name, config.format, suspected),
    connectionId,
    cause: system < 0 ? systemError(binding, system, number === WRITE_FAILED ? 'write' : 'read') : undefined,
  })
}
