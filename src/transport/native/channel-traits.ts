/** What all channels of a listener or client have in common. Knows formats and limits, not connections. */
import type { CompiledFormat } from '../../format.js'
import type { BudgetConfig, ChannelConfig } from '../contract.js'
import type { NativeHub } from './hub.js'

/** What all channels of a listener or client have in common: a channel sits in every idle connection, so it is small. */
export class ChannelTraits {
  readonly plain: boolean
  readonly limit: number
  /** Bytes of a frame in front of its payload; 0 where that varies. */
  readonly prefix: number

  constructor(
    readonly hub: NativeHub,
    readonly config: ChannelConfig & BudgetConfig,
    /** The addon's number for it. */
    readonly configId: number,
  ) {
    this.plain = config.format.isPlainUint32BE
    this.limit = config.maxFrameLength
    this.prefix = fixedPrefix(config.format)
  }
}

function fixedPrefix(format: CompiledFormat): number {
  if (format.lengthBytes === 0 && format.strip < 0) return 0
  return format.strip < 0 ? format.headerBytes : format.strip
}

/** Frames of `from` are, as they lie on the wire, what `to` would send. */
export function sameWire(from: ChannelTraits, to: ChannelTraits): boolean {
  if (from.plain && to.plain) return true
  const { format } = from.config
  // What is in front of the payload and is no length was the sender's, and is zero when we send.
  const isAllLength = format.lengthBytes > 0 && format.lengthOffset === 0 && from.prefix <= format.headerBytes
  return (from === to || format === to.config.format) && from.prefix > 0 && isAllLength
}
