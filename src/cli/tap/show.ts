/** How `tap` shows what it saw: a line for a frame, in text or hex, or JSON. Knows looks, not sockets. */
import { isUtf8 } from 'node:buffer'
import { harmlessJson, type Terminal } from '../terminal.js'
import type { SeenFrame } from './watcher.js'

export type Shape = 'auto' | 'text' | 'hex' | 'none'
export type Direction = 'up' | 'down'

const ARROWS = { up: '→', down: '←' } as const
const STYLES = { up: 'cyan', down: 'green' } as const

export interface ShowOptions {
  readonly shape: Shape
  /** Payload bytes that are shown. */
  readonly bytes: number
  readonly json: boolean
}

export class Show {
  readonly #terminal: Terminal
  readonly #options: ShowOptions

  constructor(terminal: Terminal, options: ShowOptions) {
    this.#terminal = terminal
    this.#options = options
  }

  frame(connection: number, direction: Direction, { length, head }: SeenFrame): void {
    if (this.#options.json) {
      const shown = this.#options.shape === 'none' ? {} : this.#payloadFields(head)
      this.#json(connection, { direction, event: 'frame', length, ...shown })
      return
    }
    const more = length > head.length && this.#options.shape !== 'none' ? ` … +${length - head.length}` : ''
    const size = `${String(length).padStart(7)} B`
    this.#line(connection, direction, `${size}  ${this.#payload(head)}${more}`)
  }

  /** Something about a connection that is no frame. */
  note(connection: number, direction: Direction | undefined, event: string, text: string): void {
    if (this.#options.json) this.#json(connection, { direction, event, text })
    else this.#line(connection, direction, this.#terminal.style('dim', text))
  }

  #payload(head: Buffer): string {
    switch (this.#shapeOf(head)) {
      case 'none':
        return ''
      case 'hex':
        return head.toString('hex').replace(/..(?=.)/g, '$& ')
      default:
        // Control characters would play with the terminal.
        return harmlessJson(head.toString()).slice(1, -1).replace(/\\"/g, '"')
    }
  }

  #payloadFields(head: Buffer): object {
    return this.#shapeOf(head) === 'hex' ? { hex: head.toString('hex') } : { text: head.toString() }
  }

  #shapeOf(head: Buffer): Shape {
    const { shape } = this.#options
    return shape === 'auto' ? (isText(head) ? 'text' : 'hex') : shape
  }

  #line(connection: number, direction: Direction | undefined, text: string): void {
    const time = new Date().toISOString().slice(11, 23)
    const arrow = direction === undefined ? ' ' : this.#terminal.style(STYLES[direction], ARROWS[direction])
    this.#terminal.line(`${this.#terminal.style('dim', time)} #${connection} ${arrow} ${text}`)
  }

  #json(connection: number, fields: object): void {
    this.#terminal.json({ time: new Date().toISOString(), connection, ...fields })
  }
}

/** UTF-8 without control characters; what is shown may end inside a character. */
function isText(head: Buffer): boolean {
  for (let cut = 0; cut < 4 && cut <= head.length; cut++) {
    if (isUtf8(head.subarray(0, head.length - cut))) return !hasControls(head)
  }
  return false
}

function hasControls(bytes: Buffer): boolean {
  return bytes.some((byte) => (byte < 32 && byte !== 9 && byte !== 10 && byte !== 13) || byte === 127)
}
