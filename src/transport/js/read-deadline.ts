/**
 * How long a channel waits for its peer: first byte, header, body, idle. Knows where the input stands and times, not
 * bytes. All absolute; a consumer that pauses stops the clock, and it starts anew when reading goes on.
 */
import type { Phase, Reassembly } from '../../codec/reassembly.js'
import type { ErrorCode } from '../../errors.js'
import type { ChannelConfig } from '../contract.js'
import { Deadline, type Deadlines } from './deadlines.js'

type Awaited = 'first' | 'header' | 'body' | 'idle'

const CODES: Record<Awaited, ErrorCode> = {
  first: 'ERR_FRAME_FIRST_BYTE_TIMEOUT',
  header: 'ERR_FRAME_HEADER_TIMEOUT',
  body: 'ERR_FRAME_BODY_TIMEOUT',
  idle: 'ERR_FRAME_IDLE_TIMEOUT',
}

/** Some deadline for reading is on. */
export function awaitsInput(config: ChannelConfig): boolean {
  return config.firstByteTimeout + config.headerTimeout + config.bodyTimeout + config.idleTimeout > 0
}

export interface ReadDeadlineOwner {
  /** Last byte in either direction. */
  readonly activeAt: number
  readonly queuedBytes: number
  onReadDeadline(code: ErrorCode, ms: number): void
}

export class ReadDeadline {
  readonly #deadlines: Deadlines
  readonly #config: ChannelConfig
  readonly #owner: ReadDeadlineOwner
  readonly #openedAt: number
  readonly #node: Deadline
  #awaited: Awaited | undefined
  #ms = 0
  /** Which frame is awaited, so that another chunk of the same one changes nothing. */
  #frame = 0

  constructor(deadlines: Deadlines, config: ChannelConfig, owner: ReadDeadlineOwner) {
    this.#deadlines = deadlines
    this.#config = config
    this.#owner = owner
    this.#openedAt = owner.activeAt
    this.#node = new Deadline(() => this.#expired())
    this.#awaitFirstByte()
  }

  /** A chunk was taken, or reading goes on. */
  moved(input: Reassembly, now: number): void {
    const phase = input.phase
    if (phase === 'boundary') {
      // Later bytes only move the end of it, which is looked at when it is reached.
      if (this.#awaited !== 'idle') this.#set('idle', now, this.#config.idleTimeout)
    } else if (phase !== this.#awaited || input.frames !== this.#frame) {
      this.#frame = input.frames
      this.#awaitRest(phase, now)
    }
  }

  suspend(): void {
    this.#deadlines.clear(this.#node)
  }

  resume(input: Reassembly | undefined): void {
    const awaited = this.#awaited
    if (awaited === undefined) return
    const now = this.#deadlines.now()
    this.#awaited = undefined
    if (input === undefined) this.#set(awaited, now, this.#ms)
    else this.moved(input, now)
  }

  stop(): void {
    this.suspend()
    this.#awaited = undefined
  }

  #awaitFirstByte(): void {
    const { firstByteTimeout, headerTimeout, headerFromAccept, idleTimeout } = this.#config
    let awaited: Awaited = 'idle'
    let ms = idleTimeout
    const consider = (other: Awaited, otherMs: number) => {
      if (otherMs === 0 || (ms !== 0 && ms <= otherMs)) return
      awaited = other
      ms = otherMs
    }
    consider('first', firstByteTimeout)
    if (headerFromAccept) consider('header', headerTimeout)
    this.#set(awaited, this.#openedAt, ms)
  }

  #awaitRest(phase: Exclude<Phase, 'boundary'>, now: number): void {
    const { headerFromAccept, headerTimeout, bodyTimeout } = this.#config
    if (phase === 'body') this.#set('body', now, bodyTimeout)
    else this.#set('header', headerFromAccept && this.#frame === 0 ? this.#openedAt : now, headerTimeout)
  }

  #set(awaited: Awaited, from: number, ms: number): void {
    this.#awaited = awaited
    this.#ms = ms
    if (ms > 0) this.#deadlines.set(this.#node, from, ms)
    else this.#deadlines.clear(this.#node)
  }

  #expired(): void {
    const awaited = this.#awaited as Awaited
    if (awaited === 'idle') {
      const { activeAt, queuedBytes } = this.#owner
      const now = this.#deadlines.now()
      const from = queuedBytes > 0 ? now : activeAt
      if (from + this.#ms > now) {
        this.#set('idle', from, this.#ms)
        return
      }
    }
    this.#awaited = undefined
    this.#owner.onReadDeadline(CODES[awaited], this.#ms)
  }
}
