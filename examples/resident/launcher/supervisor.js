// Supervisor: starts a program again when it dies, at once the first time, then with growing pauses. What systemd does in
// production.
import { backOff } from '../src/back-off.js'

const HEALTHY = 10_000
const BASE = 200
const LONGEST = 5000

export class Supervisor {
  #stopping = false
  #failures = 0
  #timer

  /** @param {() => import('./child.js').Child} start  @param {(child: import('./child.js').Child) => void} [onDeath] */
  constructor(start, onDeath = () => {}) {
    this.start = start
    this.onDeath = onDeath
    this.begin()
  }

  begin() {
    this.#stopping = false
    this.child = this.start()
    const since = Date.now()
    const { child } = this
    child.ended.then(() => {
      if (this.#stopping) return
      this.onDeath(child)
      this.#failures = Date.now() - since > HEALTHY ? 1 : this.#failures + 1
      const pause = this.#failures === 1 ? 0 : backOff(this.#failures, BASE, LONGEST)
      this.#timer = setTimeout(() => this.begin(), pause)
    })
  }

  async stop() {
    this.#stopping = true
    clearTimeout(this.#timer)
    await this.child.stop()
  }
}
