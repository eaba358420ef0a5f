// Pool: worker threads (piscina) that run tasks outside the event loop that serves the sockets.
import { MessageChannel } from 'node:worker_threads'
import { Piscina } from 'piscina'

export class Pool {
  #piscina

  /** @param {string} module URL of the application's tasks  @param {number} threads */
  constructor(module, threads) {
    this.module = module
    this.#piscina = new Piscina({
      filename: new URL('./worker.js', import.meta.url).href,
      minThreads: 1,
      maxThreads: threads,
      idleTimeout: 10_000,
      resourceLimits: { maxOldGenerationSizeMb: 256 },
    })
  }

  /**
   * @param {import('./task.js').Task} task
   * @param {{signal: AbortSignal, onProgress: (value: number) => void}} options an abort ends the thread
   * @returns {Promise<unknown>} what the task returned
   */
  async run(task, { signal, onProgress }) {
    const { port1, port2 } = new MessageChannel()
    port1.on('message', onProgress)
    const job = { module: this.module, name: task.name, data: task.data, attempt: task.attempts, port: port2 }
    try {
      return JSON.parse(await this.#piscina.run(job, { signal, transferList: [port2] }))
    } finally {
      port1.close()
    }
  }

  async close() {
    await this.#piscina.destroy()
  }
}
