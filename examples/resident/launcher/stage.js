// Stage: the whole application in a temporary folder on a free port: nginx, php-fpm, one or more resident processes,
// and a NATS server when there are several.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Child } from './child.js'
import { nginxConf } from './nginx.conf.js'
import { fpmConf } from './php-fpm.conf.js'
import { program } from './programs.js'
import { freePort, listening } from './ready.js'
import { Supervisor } from './supervisor.js'

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url))

export class Stage {
  /** @type {Supervisor[]} */
  residents = []
  /** The NATS server. @type {Supervisor | undefined} */
  broker
  #children = []

  /**
   * @param {{residents?: number, nats?: boolean, tasks?: string, args?: string[], web?: boolean, port?: number,
   *   onDeath?: (child: Child) => void}} [options] web: with nginx and php-fpm
   */
  constructor(options = {}) {
    this.options = { residents: 1, nats: false, tasks: path('../tasks.js'), args: [], web: true, ...options }
  }

  async start() {
    this.folder = await mkdtemp(join(tmpdir(), 'resident-'))
    this.sockets = this.#each('resident', 'sock')
    this.doors = this.#each('door', 'sock')
    this.port = this.options.port ?? (await freePort())
    this.url = `http://127.0.0.1:${this.port}`
    try {
      if (this.options.nats) await this.#startNats()
      for (let i = 0; i < this.options.residents; i++) this.residents.push(this.#startResident(i))
      if (this.options.web) await this.#startWeb()
      for (const [i, socket] of this.sockets.entries())
        await listening(socket, () => this.#whyNot(this.residents[i]))
    } catch (error) {
      await this.stop()
      throw error
    }
    return this
  }

  #each(name, ending) {
    return Array.from({ length: this.options.residents }, (_, i) =>
      join(this.folder, `${name}-${i + 1}.${ending}`),
    )
  }

  #whyNot({ child }) {
    return child.running ? undefined : child.lastWords()
  }

  async #startNats() {
    const port = await freePort()
    this.nats = `nats://127.0.0.1:${port}`
    const store = join(this.folder, 'nats')
    const args = ['-js', '-sd', store, '-a', '127.0.0.1', '-p', `${port}`]
    const log = join(this.folder, 'nats-server.log')
    this.broker = new Supervisor(() => new Child(program('nats-server'), args, { log }))
    await listening(port, () => this.#whyNot(this.broker))
  }

  #startResident(i) {
    const { tasks, args, onDeath } = this.options
    const where = [
      '--socket',
      this.sockets[i],
      '--http',
      this.doors[i],
      '--data',
      join(this.folder, `data-${i + 1}`),
    ]
    const how = ['--tasks', tasks, '--origin', this.url, ...(this.nats ? ['--nats', this.nats] : []), ...args]
    const log = join(this.folder, `resident-${i + 1}.log`)
    const start = () => new Child(process.execPath, [path('../bin/resident.js'), ...where, ...how], { log })
    return new Supervisor(start, onDeath)
  }

  async #startWeb() {
    const { folder, port, sockets, doors } = this
    const user = userInfo().username
    const fpm = join(folder, 'php-fpm.sock')
    await mkdir(join(folder, 'sessions'))
    await writeFile(join(folder, 'php-fpm.conf'), fpmConf({ folder, user, fpm, sockets }))
    const publicFolder = path('../php/public')
    await writeFile(join(folder, 'nginx.conf'), nginxConf({ folder, port, publicFolder, user, doors, fpm }))
    const asRoot = user === 'root' ? ['-R'] : []
    await this.#run('php-fpm', ['-F', '-y', join(folder, 'php-fpm.conf'), ...asRoot], fpm)
    const nginx = [
      '-p',
      folder,
      '-c',
      join(folder, 'nginx.conf'),
      '-e',
      join(folder, 'nginx.log'),
      '-g',
      'daemon off;',
    ]
    await this.#run('nginx', nginx, port)
  }

  async #run(name, args, where) {
    const child = new Child(program(name), args, { log: join(this.folder, `${name}.out`) })
    this.#children.push(child)
    await listening(where, () => (child.running ? undefined : child.lastWords()))
  }

  async stop() {
    await Promise.all(this.residents.map((resident) => resident.stop()))
    for (const child of this.#children.reverse()) await child.stop()
    await this.broker?.stop()
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 })
  }
}
