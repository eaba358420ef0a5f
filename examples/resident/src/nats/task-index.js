// Task index: what became of each task, in a NATS bucket, and a copy of it in memory that follows. A record changes only
// from the revision it was read at, so that of two processes one wins.

const WRONG_REVISION = 10071

export class TaskIndex {
  /** @type {Map<string, {record: object, revision: number}>} */
  #entries = new Map()
  #unfinished = 0
  #watch

  /** @param {import('@nats-io/kv').KV} bucket */
  constructor(bucket) {
    this.bucket = bucket
  }

  async open() {
    await new Promise((resolve, reject) => this.#follow(resolve).catch(reject))
  }

  async #follow(loaded) {
    const { values } = await this.bucket.status()
    if (values === 0) loaded()
    this.#watch = await this.bucket.watch()
    for await (const entry of this.#watch) {
      this.#learn(entry.key, entry.operation === 'PUT' ? entry.json() : undefined, entry.revision)
      if (entry.delta === 0) loaded()
    }
  }

  #learn(id, record, revision) {
    const before = this.#entries.get(id)
    if (before && before.revision >= revision) return
    if (before && !before.record.finishedAt) this.#unfinished--
    if (record) this.#entries.set(id, { record, revision })
    else this.#entries.delete(id)
    if (record && !record.finishedAt) this.#unfinished++
  }

  /** Tasks that have not ended. */
  get size() {
    return this.#unfinished
  }

  /** As the server has it. @returns {Promise<{record: object, revision: number} | undefined>} */
  async read(id) {
    const entry = await this.bucket.get(id)
    return entry?.operation === 'PUT' ? { record: entry.json(), revision: entry.revision } : undefined
  }

  /** As this process knows it. */
  known(id) {
    return this.#entries.get(id)?.record
  }

  /** Newest first. */
  list({ state, user, limit }) {
    const wanted = (record) => (!state || record.state === state) && (!user || record.user === user)
    return [...this.#entries.values()]
      .map(({ record }) => record)
      .filter(wanted)
      .sort((a, b) => b.createdAt - a.createdAt)
      .slice(0, limit)
  }

  /** Those that wait although their deadline has passed. */
  overdue(now) {
    return [...this.#entries].filter(
      ([, { record }]) => record.state === 'waiting' && record.deadline !== null && record.deadline <= now,
    )
  }

  /**
   * @param {object} record  @param {number} revision 0: there must be none yet
   * @returns {Promise<number>} the new revision; 0: somebody else was faster
   */
  async write(record, revision) {
    try {
      const text = JSON.stringify(record)
      const next = await this.bucket.put(record.id, text, { previousSeq: revision })
      this.#learn(record.id, record, next)
      return next
    } catch (error) {
      if (error.code === WRONG_REVISION) return 0
      throw error
    }
  }

  /** Forgets what ended more than `age` ms ago: the bucket does the same by itself. */
  prune(age) {
    const oldest = Date.now() - age
    for (const [id, { record }] of this.#entries)
      if (record.finishedAt && record.finishedAt < oldest) this.#entries.delete(id)
  }

  close() {
    this.#watch?.stop()
  }
}
