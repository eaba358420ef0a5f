// A list of checks that prints itself as it goes and closes with 'N passed, N failed'. Knows nothing of what is checked.

export class Checks {
  #passed = 0
  #failed = 0

  /** One line; what did not hold is shown with `why`. Returns `ok`. */
  check(what, ok, why = '') {
    if (ok) this.#passed++
    else this.#failed++
    console.log(
      `${ok ? 'ok    ' : 'FAILED'} ${what}${ok || !why ? '' : `\n${`${why}`.trim().replace(/^/gm, '       ')}`}`,
    )
    return ok
  }

  /** Runs `body`; what it throws is a failure of `what`, and so is false. */
  async attempt(what, body) {
    try {
      const result = await body()
      return this.check(what, result !== false)
    } catch (error) {
      return this.check(what, false, error.message)
    }
  }

  /** Prints the closing line. Returns the exit code. */
  close() {
    console.log(`${this.#passed} passed, ${this.#failed} failed`)
    return this.#failed === 0 && this.#passed > 0 ? 0 : 1
  }
}
