/**
 * What the command says and where. Results go to stdout, everything else to stderr; progress only to a terminal; colour
 * only to a terminal that has not said NO_COLOR. Knows streams, not what is said.
 */
import type { WriteStream } from 'node:tty'
import { stripVTControlCharacters } from 'node:util'

type Sink = Pick<WriteStream, 'write'> & { readonly isTTY?: boolean; readonly columns?: number }

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const
export type Style = keyof typeof CODES

export class Terminal {
  readonly #out: Sink
  readonly #err: Sink
  readonly #color: boolean
  #progressShown = false

  constructor(
    out: Sink = process.stdout,
    err: Sink = process.stderr,
    env: Readonly<Record<string, string | undefined>> = process.env,
  ) {
    this.#out = out
    this.#err = err
    // https://no-color.org: present and not empty.
    this.#color = (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb'
  }

  get outIsTerminal(): boolean {
    return this.#out.isTTY === true
  }

  /** Styles text for stdout, where that can be seen. */
  style(style: Style, text: string): string {
    return this.#color && this.outIsTerminal ? `\x1b[${CODES[style]}m${text}\x1b[0m` : text
  }

  /** A result. */
  line(text: string): void {
    this.clearProgress()
    this.#out.write(`${this.#color && this.outIsTerminal ? text : stripVTControlCharacters(text)}\n`)
  }

  /** A result as it is. False: stdout is behind. */
  bytes(bytes: Uint8Array | string): boolean {
    this.clearProgress()
    return this.#out.write(bytes)
  }

  json(value: unknown): void {
    this.#out.write(`${harmlessJson(value)}\n`)
  }

  /** Something for people beside the result. */
  note(text: string): void {
    this.clearProgress()
    this.#err.write(`${text}\n`)
  }

  /** Overwrites the line of progress; nothing where stderr is no terminal. `share`: 0 to 1. */
  progress(share: number, text: string): void {
    if (this.#err.isTTY !== true) return
    const width = 24
    const done = Math.round(Math.min(1, share) * width)
    const bar = `${'█'.repeat(done)}${'░'.repeat(width - done)}`
    const line = `${bar} ${text}`.slice(0, Math.max(20, (this.#err.columns || 80) - 1))
    this.#err.write(`\r\x1b[2K${line}`)
    this.#progressShown = true
  }

  clearProgress(): void {
    if (!this.#progressShown) return
    this.#progressShown = false
    this.#err.write('\r\x1b[2K')
  }
}

/**
 * What JSON leaves as it is and terminals obey: DEL and the C1 controls (U+009B begins a sequence as ESC [ does), and what
 * turns the direction of a line round, so that it reads as something else.
 */
const STEERING = /[\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** JSON of the same value, with nothing in it that steers a terminal. */
export function harmlessJson(value: unknown): string {
  return JSON.stringify(value).replace(
    STEERING,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
