// Shelf: keys and values of the directory in a NATS bucket, which every resident process watches.

export class NatsShelf {
  #watch

  /** @param {import('@nats-io/kv').KV} bucket */
  constructor(bucket) {
    this.bucket = bucket
  }

  /** Resolves when everything that is there has been applied; goes on with what changes later. */
  async load(apply) {
    await new Promise((resolve, reject) => this.#follow(apply, resolve).catch(reject))
  }

  async #follow(apply, loaded) {
    const { values } = await this.bucket.status()
    if (values === 0) loaded()
    this.#watch = await this.bucket.watch()
    for await (const entry of this.#watch) {
      apply(entry.key, entry.operation === 'PUT' ? entry.json() : undefined)
      if (entry.delta === 0) loaded()
    }
  }

  async put(key, value) {
    await this.bucket.put(key, JSON.stringify(value))
  }

  async remove(key) {
    await this.bucket.purge(key)
  }

  async get(key) {
    const entry = await this.bucket.get(key)
    return entry?.operation === 'PUT' ? entry.json() : undefined
  }

  close() {
    this.#watch?.stop()
  }
}
