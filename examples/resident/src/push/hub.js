// Hub: the browsers connected to this process, by user, and who of them gets an event. It knows the directory of
// groups and the history; not where events come from.

export class Hub {
  /** @type {Map<string, Set<import('./browser.js').Browser>>} */
  #users = new Map()
  /** Called with (user, number of browsers here) when that number changes. */
  onPresence = () => {}

  /** @param {import('./directory.js').Directory} directory  @param {import('./history.js').History} history */
  constructor(directory, history) {
    this.directory = directory
    this.history = history
  }

  /** Browsers of `user` in this process. */
  count(user) {
    return this.#users.get(user)?.size ?? 0
  }

  /** @returns {Iterable<[string, number]>} */
  *counts() {
    for (const [user, browsers] of this.#users) yield [user, browsers.size]
  }

  *browsers() {
    for (const browsers of this.#users.values()) yield* browsers
  }

  /**
   * @param {import('./browser.js').Browser} browser with `user` set
   * @param {number | undefined} last the last event it has seen; undefined: it starts now
   * @returns {boolean} false: something it has not seen is no longer there
   */
  attach(browser, last) {
    const browsers = this.#users.get(browser.user) ?? new Set()
    this.#users.set(browser.user, browsers.add(browser))
    this.onPresence(browser.user, browsers.size)
    const resumed = last === undefined || this.history.reaches(last)
    browser.lastId = last !== undefined && resumed ? last : this.history.last
    return resumed
  }

  /** Begins the stream of events; apart from `attach` so that the greeting comes first. */
  resume(browser) {
    let position = browser.lastId
    browser.replay(() => {
      for (;;) {
        const event = this.history.after(position)
        if (!event) return undefined
        position = event.id
        if (this.#addressed(event, browser.user)) return event
      }
    })
  }

  detach(browser) {
    const browsers = this.#users.get(browser.user)
    if (!browsers?.delete(browser)) return
    if (browsers.size === 0) this.#users.delete(browser.user)
    this.onPresence(browser.user, browsers.size)
  }

  #addressed(event, user) {
    const { to } = event
    if (to.except?.includes(user)) return false
    if (to.user !== undefined) return to.user === user
    if (to.group === undefined) return true
    // Who joined later does not read what was said before.
    const since = this.directory.members(to.group).get(user)
    return since !== undefined && event.id > since
  }

  /**
   * @param {{id?: number, frame: Buffer, to: {user?: string, group?: string, except?: string[]}}} event
   * @returns {{sent: number, queued: number, dropped: number}} of the browsers in this process
   */
  deliver(event) {
    const receipt = { sent: 0, queued: 0, dropped: 0 }
    if (event.id !== undefined) this.history.add(event)
    const item = { id: event.id, frame: event.frame, group: event.to.group }
    const rule = this.directory.rule(event.to.group)
    for (const user of this.#online(event.to)) {
      if (event.to.except?.includes(user)) continue
      for (const browser of this.#users.get(user) ?? []) browser.push(item, rule, receipt)
    }
    return receipt
  }

  #online(to) {
    if (to.user !== undefined) return [to.user]
    if (to.group === undefined) return this.#users.keys()
    return this.directory.members(to.group).keys()
  }

  /** @returns {number} browsers of `user` closed here */
  close(user, code, reason) {
    const browsers = [...(this.#users.get(user) ?? [])]
    for (const browser of browsers) browser.close(code, reason)
    return browsers.length
  }
}
