/**
 * Every error of the package: one table of codes, one class. Knows texts and fields, not what raises them.
 * docs/errors.md has a heading per code; a test keeps the two equal.
 */

/** Every `code` an error of this package can carry. docs/errors.md has cause and cure of each. */
export type ErrorCode =
  | 'ERR_FRAME_TOO_LARGE'
  | 'ERR_FRAME_LENGTH_INVALID'
  | 'ERR_FRAME_TRUNCATED'
  | 'ERR_FRAME_FIRST_BYTE_TIMEOUT'
  | 'ERR_FRAME_HEADER_TIMEOUT'
  | 'ERR_FRAME_BODY_TIMEOUT'
  | 'ERR_FRAME_IDLE_TIMEOUT'
  | 'ERR_FRAME_WRITE_TIMEOUT'
  | 'ERR_FRAME_MEMORY_BUDGET'
  | 'ERR_FRAME_CONNECTION_LIMIT'
  | 'ERR_FRAME_CONNECTION_LOST'
  | 'ERR_FRAME_CLOSED'
  | 'ERR_FRAME_ALREADY_LISTENING'
  | 'ERR_FRAME_CONNECT_TIMEOUT'
  | 'ERR_FRAME_REQUEST_TIMEOUT'
  | 'ERR_FRAME_HANDLER'
  | 'ERR_FRAME_SERIALIZATION'
  | 'ERR_FRAME_PAYLOAD_TYPE'
  | 'ERR_FRAME_PAYLOAD_DETACHED'
  | 'ERR_FRAME_FORMAT_INVALID'
  | 'ERR_FRAME_OPTION_INVALID'
  | 'ERR_FRAME_CONSUMER_MODE'
  | 'ERR_FRAME_BATCH_EXPIRED'
  | 'ERR_FRAME_BACKEND_UNAVAILABLE'
  | 'ERR_FRAME_BACKEND_UNSUPPORTED'
  | 'ERR_FRAME_PATH_TOO_LONG'
  | 'ERR_FRAME_PATH_NOT_SOCKET'
  | 'ERR_FRAME_PEER_REFUSED'

/** Codes of mistakes in arguments: they are real `TypeError`s that carry `code`, not `FrameError`s. */
export type ArgumentErrorCode =
  | 'ERR_FRAME_PAYLOAD_TYPE'
  | 'ERR_FRAME_PAYLOAD_DETACHED'
  | 'ERR_FRAME_FORMAT_INVALID'
  | 'ERR_FRAME_OPTION_INVALID'

export interface ErrorEntry {
  /** What is said when whoever raises it says nothing better. */
  readonly message: string
  /** The class it is an instance of. */
  readonly type: 'FrameError' | 'TypeError'
}

const frameError = (message: string): ErrorEntry => Object.freeze({ message, type: 'FrameError' })
const typeError = (message: string): ErrorEntry => Object.freeze({ message, type: 'TypeError' })

/** The one table. */
export const ERRORS: Readonly<Record<ErrorCode, ErrorEntry>> = Object.freeze({
  ERR_FRAME_TOO_LARGE: frameError('The frame is larger than maxFrameLength'),
  ERR_FRAME_LENGTH_INVALID: frameError('The length field does not describe a frame of this format'),
  ERR_FRAME_TRUNCATED: frameError('The stream ended in the middle of a frame'),
  ERR_FRAME_FIRST_BYTE_TIMEOUT: frameError('No byte arrived within firstByteTimeout'),
  ERR_FRAME_HEADER_TIMEOUT: frameError('The frame header did not arrive whole within headerTimeout'),
  ERR_FRAME_BODY_TIMEOUT: frameError('The frame did not arrive whole within bodyTimeout'),
  ERR_FRAME_IDLE_TIMEOUT: frameError('Nothing was received or sent within idleTimeout'),
  ERR_FRAME_WRITE_TIMEOUT: frameError('The peer did not read queued bytes within writeTimeout'),
  ERR_FRAME_MEMORY_BUDGET: frameError('Partial and queued frames exceed memoryBudget'),
  ERR_FRAME_CONNECTION_LIMIT: frameError('The server already has maxConnections connections'),
  ERR_FRAME_CONNECTION_LOST: frameError('The connection was lost'),
  ERR_FRAME_CLOSED: frameError('The connection, server or client is closed'),
  ERR_FRAME_ALREADY_LISTENING: frameError('The server is already listening'),
  ERR_FRAME_CONNECT_TIMEOUT: frameError('The connection was not made in time'),
  ERR_FRAME_REQUEST_TIMEOUT: frameError('No reply arrived in time'),
  ERR_FRAME_HANDLER: frameError('The request handler failed'),
  ERR_FRAME_SERIALIZATION: frameError('The value could not be serialized, or the payload not be read back'),
  ERR_FRAME_PAYLOAD_TYPE: typeError('The payload must be a string, an ArrayBufferView or an ArrayBuffer'),
  ERR_FRAME_PAYLOAD_DETACHED: typeError('The memory of the payload was detached'),
  ERR_FRAME_FORMAT_INVALID: typeError('The frame format is invalid'),
  ERR_FRAME_OPTION_INVALID: typeError('An option is invalid'),
  ERR_FRAME_CONSUMER_MODE: frameError('The connection already has another consumer'),
  ERR_FRAME_BATCH_EXPIRED: frameError('The frame batch was used after its callback had returned'),
  ERR_FRAME_BACKEND_UNAVAILABLE: frameError('The native backend could not be loaded'),
  ERR_FRAME_BACKEND_UNSUPPORTED: frameError('The backend in use does not support this option'),
  ERR_FRAME_PATH_TOO_LONG: frameError('The socket path is longer than the system allows'),
  ERR_FRAME_PATH_NOT_SOCKET: frameError('The path exists and is not a socket'),
  ERR_FRAME_PEER_REFUSED: frameError('allowPeer refused the peer'),
})

/** What a {@link FrameError} can say beside its code. */
export interface FrameErrorDetails {
  /** Replaces the text of the table. */
  readonly message?: string
  /** Payload bytes the header declares (or the sender wants to send). */
  readonly declared?: number
  /** The limit that was exceeded, in bytes (or connections, or ms, as the code says). */
  readonly limit?: number
  /** Payload bytes of the frame that have arrived; while `declared` is unknown, bytes of its header. */
  readonly received?: number
  readonly connectionId?: number
  /** true: not a byte of this frame reached the kernel. false: its fate is unknown. */
  readonly neverWritten?: boolean
  /** What the peer probably speaks instead. */
  readonly hint?: string
  readonly cause?: unknown
}

/**
 * An error of the framing, of a connection or of its use. Test `code`, not the text.
 * Fields that do not apply are absent.
 */
export class FrameError extends Error {
  readonly code: ErrorCode
  /** Payload bytes the header declares (or the sender wanted to send). */
  declare readonly declared?: number
  /** The limit that was exceeded, in bytes (or connections, or ms, as the code says). */
  declare readonly limit?: number
  /** Payload bytes of the frame that had arrived; while `declared` is absent, bytes of its header. */
  declare readonly received?: number
  /** `Connection.id`. Filled in where the connection is known. */
  declare connectionId?: number
  /** true: not a byte of this frame reached the kernel. false: its fate is unknown. */
  declare neverWritten?: boolean
  /** What the peer probably speaks instead, when its first bytes look like it. */
  declare readonly hint?: string

  constructor(code: ErrorCode, details: FrameErrorDetails = {}) {
    // Only what was said: whatever somebody has put on Object.prototype is not about this error.
    const own: FrameErrorDetails = Object.assign(Object.create(null), details)
    const { message: _, cause, ...fields } = own
    super(describe(code, own), cause === undefined ? undefined : { cause })
    this.code = code
    for (const [name, value] of Object.entries(fields)) {
      if (value !== undefined) define(this, name, value, true)
    }
  }
}

// On the prototype, so that it is no own property printed with every error.
define(FrameError.prototype, 'name', 'FrameError', false)

function define(on: object, name: string, value: unknown, enumerable: boolean): void {
  const descriptor = { value, writable: true, enumerable, configurable: true }
  Object.defineProperty(on, name, Object.setPrototypeOf(descriptor, null))
}

function describe(code: ErrorCode, details: FrameErrorDetails): string {
  let text = details.message ?? ERRORS[code].message
  const facts: string[] = []
  if (details.declared !== undefined) facts.push(`declared ${details.declared}`)
  if (details.received !== undefined) facts.push(`received ${details.received}`)
  if (details.limit !== undefined) facts.push(`limit ${details.limit}`)
  if (facts.length > 0) text += ` (${facts.join(', ')})`
  return details.hint === undefined ? text : `${text}: ${details.hint}`
}

/** A TypeError of this package. */
export type CodedTypeError = TypeError & { readonly code: ArgumentErrorCode }

/** A real `TypeError` that carries `code`. */
export function argumentError(
  code: ArgumentErrorCode,
  message: string = ERRORS[code].message,
): CodedTypeError {
  const error = new TypeError(message)
  return Object.assign(error, { code })
}

/** `ERR_FRAME_OPTION_INVALID`: option `name` must be `expected`, and is `value`. */
export function optionError(name: string, expected: string, value: unknown): CodedTypeError {
  return argumentError('ERR_FRAME_OPTION_INVALID', `${name} must be ${expected}, not ${shortly(value)}`)
}

/** `ERR_FRAME_FORMAT_INVALID`: property `name` of a frame format must be `expected`, and is `value`. */
export function formatError(name: string, expected: string, value: unknown): CodedTypeError {
  return argumentError(
    'ERR_FRAME_FORMAT_INVALID',
    `format: ${name} must be ${expected}, not ${shortly(value)}`,
  )
}

/** `ERR_FRAME_PAYLOAD_TYPE`: `value` is no payload, or no chunk (which text is not). */
export function payloadTypeError(value: unknown, what: 'payload' | 'chunk' = 'payload'): CodedTypeError {
  const expected = `${what === 'payload' ? 'a string, ' : ''}an ArrayBufferView or an ArrayBuffer`
  return argumentError('ERR_FRAME_PAYLOAD_TYPE', `The ${what} must be ${expected}, not ${shortly(value)}`)
}

/** Names a value without calling any code of its own (no toString, no getters of a proxy). */
function shortly(value: unknown): string {
  if (value === null) return 'null'
  switch (typeof value) {
    case 'string':
      return value.length > 40 ? `'${value.slice(0, 40)}…'` : `'${value}'`
    case 'number':
    case 'boolean':
    case 'undefined':
      return String(value)
    case 'bigint':
      return `${value}n`
    default:
      return Array.isArray(value) ? 'an array' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
  }
}

/** About the connection and not about its next frame: frames that wait are let go of, which is what it is for. @internal */
export function isOverrun({ code }: FrameError): boolean {
  return code === 'ERR_FRAME_WRITE_TIMEOUT' || code === 'ERR_FRAME_MEMORY_BUDGET'
}
