/** What `serve` tells of itself: a line for people on stderr, or with --json a line of JSON on stdout. Knows no servers. */
import type { Terminal } from '../terminal.js'

export type Fields = Readonly<Record<string, string | number | boolean | undefined>>

export class Log {
  constructor(
    private readonly terminal: Terminal,
    private readonly json: boolean,
  ) {}

  /** `event` names it for programs, `text` says it to people; `fields` are its facts. */
  event(event: string, text: string, fields: Fields = {}): void {
    if (this.json) this.terminal.json({ time: new Date().toISOString(), event, ...fields })
    else this.terminal.note(`framewire: ${text}`)
  }
}
