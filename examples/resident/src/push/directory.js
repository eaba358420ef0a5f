// Directory: which token is which user until when, who is in which group, and what a group does to slow readers.
// Read from memory; each change goes to a shelf (SQLite or a NATS bucket) first, which brings it back after a restart
// and tells of changes made elsewhere.
import { createHash } from 'node:crypto'
import { Refusal } from '../refusal.js'
import { POLICIES } from './browser.js'

const NOBODY = new Map()
const DEFAULT_RULE = { policy: 'drop-oldest', limit: 256 }

const key = (kind, ...names) =>
  [kind, ...names.map((name) => Buffer.from(name).toString('base64url'))].join('.')
const names = (text) =>
  text
    .split('.')
    .slice(1)
    .map((part) => Buffer.from(part, 'base64url').toString())
// Kept as a hash: whoever reads the file cannot log in with what is in it.
const fingerprint = (token) => createHash('sha256').update(token).digest('base64url')

export class Directory {
  #tokens = new Map()
  #groups = new Map()
  #rules = new Map()
  /** @type {Map<string, number>} users a token was given for, with how many tokens each has */
  #known = new Map()
  #expiry = setInterval(() => this.#forgetExpired(), 60_000).unref()

  /**
   * @param {{load(apply: (key: string, value?: object) => void): Promise<void>,
   *   put(key: string, value: object): Promise<void>, remove(key: string): Promise<void>,
   *   get(key: string): Promise<object | undefined>}} shelf
   * @param {{maxEntries?: number, onError: (error: Error) => void}} options entries: tokens, or members of one group;
   *   onError: the shelf did not take a change that nobody waits for
   */
  constructor(shelf, { maxEntries = 200_000, onError }) {
    this.shelf = shelf
    this.onError = onError
    this.maxEntries = maxEntries
  }

  async open() {
    await this.shelf.load((entry, value) => this.#apply(entry, value))
  }

  close() {
    clearInterval(this.#expiry)
  }

  #apply(entry, value) {
    const kind = entry.slice(0, entry.indexOf('.'))
    if (kind === 'token') this.#applyToken(entry, value)
    else if (kind === 'member') this.#applyMember(names(entry), value)
    else if (kind === 'rule') this.#rules.set(names(entry)[0], value ?? DEFAULT_RULE)
  }

  #applyToken(entry, value) {
    const before = this.#tokens.get(entry)
    if (before) {
      const left = this.#known.get(before.user) - 1
      if (left > 0) this.#known.set(before.user, left)
      else this.#known.delete(before.user)
    }
    if (value) {
      this.#tokens.set(entry, value)
      this.#known.set(value.user, (this.#known.get(value.user) ?? 0) + 1)
    } else this.#tokens.delete(entry)
  }

  #applyMember([group, user], value) {
    const members = this.#groups.get(group) ?? new Map()
    if (value) members.set(user, value.since)
    else members.delete(user)
    if (members.size > 0) this.#groups.set(group, members)
    else this.#groups.delete(group)
  }

  async #set(entry, value) {
    if (value) await this.shelf.put(entry, value)
    else await this.shelf.remove(entry)
    this.#apply(entry, value)
  }

  /** @param {number} expiresAt ms since 1970 */
  async setToken(token, user, expiresAt) {
    if (this.#tokens.size >= this.maxEntries)
      throw new Refusal('TOO_MANY_TOKENS', 'too many tokens are known already')
    await this.#set(`token.${fingerprint(token)}`, { user, expiresAt })
  }

  /** @returns {Promise<{user: string, expiresAt: number} | undefined>} undefined: unknown or expired */
  async whose(token) {
    const entry = `token.${fingerprint(token)}`
    // One told to another process a moment ago may not have arrived here.
    const found = this.#tokens.get(entry) ?? (await this.shelf.get(entry))
    return found && found.expiresAt > Date.now() ? found : undefined
  }

  async forgetTokens(user) {
    for (const [entry, token] of [...this.#tokens]) if (token.user === user) await this.#set(entry, undefined)
  }

  #forgetExpired() {
    const now = Date.now()
    for (const [entry, token] of [...this.#tokens])
      if (token.expiresAt <= now) this.#set(entry, undefined).catch((error) => this.onError(error))
  }

  /** Users with a token. */
  knownUsers() {
    return this.#known.keys()
  }

  /** @param {number} since the newest event's id: what came before is not for them */
  async join(group, user, since) {
    const members = this.members(group)
    if (members.has(user)) return
    if (members.size >= this.maxEntries)
      throw new Refusal('GROUP_FULL', `group ${group} has too many members`)
    await this.#set(key('member', group, user), { since })
  }

  async leave(group, user) {
    await this.#set(key('member', group, user), undefined)
  }

  /** @returns {Map<string, number>} user to the event id they joined at */
  members(group) {
    return this.#groups.get(group) ?? NOBODY
  }

  async setRule(group, policy, limit) {
    if (!POLICIES.includes(policy)) throw new Refusal('BAD_POLICY', `policy is one of ${POLICIES.join(', ')}`)
    await this.#set(key('rule', group), { policy, limit })
  }

  /** @param {string | undefined} group undefined: sent to a user or to all */
  rule(group) {
    return (group !== undefined && this.#rules.get(group)) || DEFAULT_RULE
  }
}
