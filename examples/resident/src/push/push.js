// Push: what an application can do to the browsers of its users. It knows the directory and the bus; not sockets.
import { CLOSE } from './browser.js'

export class Push {
  /** @param {import('./directory.js').Directory} directory  @param {object} bus */
  constructor(directory, bus) {
    this.directory = directory
    this.bus = bus
  }

  /**
   * @param {{user?: string, group?: string, except?: string[]}} to neither user nor group: everybody
   * @returns {Promise<{sent: number, queued: number, dropped: number, offline: number}>} browsers that got it, for
   *   which it waits, for which this or an older one was given up; users of those meant who have no browser open
   */
  async send(to, type, data) {
    const offline = this.#offline(to)
    return { ...(await this.bus.publish({ type, data, to })), offline }
  }

  #offline({ user, group, except = [] }) {
    let offline = 0
    for (const each of this.#meant(user, group))
      if (!except.includes(each) && this.bus.online(each) === 0) offline++
    return offline
  }

  #meant(user, group) {
    if (user !== undefined) return [user]
    return group === undefined ? this.directory.knownUsers() : this.directory.members(group).keys()
  }

  async join(group, user) {
    await this.directory.join(group, user, this.bus.last)
  }

  async leave(group, user) {
    await this.directory.leave(group, user)
  }

  online(user) {
    return this.bus.online(user)
  }

  /** Closes the user's browsers, and their tokens are good no more. */
  async kick(user, reason) {
    await this.directory.forgetTokens(user)
    return this.bus.kick(user, CLOSE.kicked, reason)
  }
}
