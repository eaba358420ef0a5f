// Cable: between a browser and the web server, to be cut and mended. It passes bytes on and knows nothing of them.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { pipeline } from 'node:stream'

export class Cable {
  #sockets = new Set()
  #cut = false
  #server = createServer((near) => this.#join(near))

  /** @param {number} port of the web server */
  constructor(port) {
    this.target = port
  }

  async plug() {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    this.url = `http://127.0.0.1:${this.#server.address().port}`
    return this
  }

  #join(near) {
    if (this.#cut) return near.destroy()
    const far = connect(this.target, '127.0.0.1')
    for (const socket of [near, far]) {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    }
    // Either end may go at any time: that is what a cable is for.
    pipeline(near, far, near, () => {})
  }

  cut() {
    this.#cut = true
    for (const socket of this.#sockets) socket.destroy()
  }

  mend() {
    this.#cut = false
  }

  async unplug() {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
