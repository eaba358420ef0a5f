/** What all channels of a listener or client have in common. Knows formats and limits, not connections. */
import type { CompiledFormat } from '../../format.js'
import type { BudgetConfig, ChannelConfig } from '../contract.js'
import type { NativeHub } from './hub.js'

/** What all channels of a listener or client have in common: a channel sits in every idle connection, so it is small. */
export class ChannelTraits {
  readonly plain: boolean
  readonly limit: number
  readonly highWaterMark: number
  /** Bytes of a frame in front of its payload; 0 where that varies. */
  readonly prefix: number
  /** Frames are, as they lie on the wire, what would be sent for their payload. */
  readonly forwards: boolean

  constructor(
    readonly hub: NativeHub,
    readonly config: ChannelConfig & BudgetConfig,
    /** The addon's number for it. */
    readonly configId: number,
  ) {
    this.plain = config.format.isPlainUint32BE
    this.limit = config.maxFrameLength
    this.highWaterMark = config.highWaterMark
    this.prefix = fixedPrefix(config.format)
    this.forwards = this.plain || isAllLength(config.format, this.prefix)
  }
}

/** Frames of `from`, which may be forwarded, are what `to` would send, too. */
export function sameWire(from: ChannelTraits, to: ChannelTraits): boolean {
  return (from.plain && to.plain) || from.config.format === to.config.format
}

/** What is in front of the payload and is no length was the sender's, and is zero when we send. */
function isAllLength(format: CompiledFormat, prefix: number): boolean {
  return format.lengthBytes > 0 && format.lengthOffset === 0 && prefix > 0 && prefix <= format.headerBytes
}

function fixedPrefix(format: CompiledFormat): number {
  if (format.lengthBytes === 0 && format.strip < 0) return 0
  return format.strip < 0 ? format.headerBytes : format.strip
}
