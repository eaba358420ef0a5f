// What a person sees while it runs: a bar with the time left on a terminal, plain lines otherwise. On stderr, so
// that stdout is the table.
import { Presets, SingleBar } from 'cli-progress'

const clock = (seconds) => {
  const s = Math.max(0, Math.round(seconds))
  return s >= 60 ? `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, '0')} s` : `${s} s`
}

export class Progress {
  /** @param total expected seconds of the whole run, by plan. */
  constructor(total) {
    this.total = total
    this.done = 0
    this.start = performance.now()
    const terminal = process.stderr.isTTY
    this.bar = terminal
      ? new SingleBar(
          {
            format: '{bar} {percentage}% | {left} left | {what}',
            stream: process.stderr,
            hideCursor: true,
            barsize: 30,
          },
          Presets.shades_classic,
        )
      : null
    this.bar?.start(total, 0, { left: clock(total), what: '' })
  }

  /** A share of the plan is behind us; the rest is judged by how long that took. */
  step(seconds, what) {
    this.done = Math.min(this.total, this.done + seconds)
    const spent = (performance.now() - this.start) / 1000
    const pace = this.done > 3 ? spent / this.done : 1
    this.bar?.update(this.done, { left: clock((this.total - this.done) * pace), what })
  }

  /** A row is done. */
  line(text) {
    if (this.bar) return
    const share = Math.floor((this.done / this.total) * 100)
    process.stderr.write(`${String(share).padStart(3)}%  ${text}\n`)
  }

  stop() {
    this.bar?.update(this.total, { left: '0 s', what: 'done' })
    this.bar?.stop()
  }
}
