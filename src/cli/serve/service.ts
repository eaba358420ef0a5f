/** One process that serves: the handler, its server, and their end. Knows nothing of other processes. */
import { createServer, type ListenOptions, type Server, type ServerOptions } from '../../server/index.js'
import type { Address } from '../../transport/contract.js'
import { given } from '../flags.js'
import { type HandlerModule, loadHandler } from './handler.js'
import type { ProcessStats, ServePlan } from './plan.js'

export class Service {
  readonly address: Address
  readonly #server: Server<never, unknown>
  readonly #handler: HandlerModule
  readonly #drainTimeout: number
  readonly #since = performance.now()
  #draining: Promise<void> | undefined

  private constructor(
    server: Server<never, unknown>,
    handler: HandlerModule,
    plan: ServePlan,
    address: Address,
  ) {
    this.#server = server
    this.#handler = handler
    this.#drainTimeout = plan.drainTimeout
    this.address = address
  }

  /**
   * Loads the handler and listens. `onProblem` is told of handlers that fail and of connections that are turned away.
   * @throws what the module throws, and what `listen` throws.
   */
  static async start(
    plan: ServePlan,
    where: ListenOptions,
    onProblem: (text: string) => void,
  ): Promise<Service> {
    const handler = await loadHandler(plan.handler)
    const { onRequest } = handler
    const options = { ...handler.options, ...given(plan.options), onRequest } as ServerOptions<never, unknown>
    const server = createServer<never, unknown>(
      options as ServerOptions<never, unknown> & { serialization: 'json' },
    )
    server.on('error', (error, connection) => {
      const cause = error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : error.message
      onProblem(connection === undefined ? cause : `connection ${connection.id}: ${cause}`)
    })
    server.on('drop', ({ reason, count }) => onProblem(`turned away ${count} (${reason})`))
    const backlog = plan.backlog === undefined ? {} : { backlog: plan.backlog }
    return new Service(server, handler, plan, await server.listen({ ...where, ...backlog }))
  }

  get backend(): string {
    return this.#server.stats().backend ?? 'none'
  }

  stats(): ProcessStats {
    return {
      pid: process.pid,
      uptime: Math.round(performance.now() - this.#since) / 1000,
      rss: process.memoryUsage.rss(),
      ...this.#server.stats(),
    }
  }

  /** Accepts nothing more, lets requests in hand finish, then lets the handler clean up. */
  drain(): Promise<void> {
    this.#draining ??= this.#drain()
    return this.#draining
  }

  async #drain(): Promise<void> {
    await this.#server.close({ timeout: this.#drainTimeout })
    await this.#handler.close?.()
  }
}
