/** The kinds of sockets there are, and what is known of the other end. */
import { randomUUID } from 'node:crypto'
import { type ConnectOptions, connect, createServer, type ListenOptions } from 'framewire'
import { expect, it, onTestFinished } from 'vitest'
import { boundNames, netFillsNames } from './abstract-names.js'
import { type Backend, closing, frames, pattern } from './harness.js'

type AsBuffer = { serialization?: 'buffer' }

export function socketContract(backend: Backend): void {
  const echo = async (listen: ListenOptions, to: (address: { port: number }) => Partial<ConnectOptions>) => {
    const server = createServer({ backend }, (peer) => {
      peer.on('frame', (payload) => peer.send(payload))
    })
    const address = await server.listen(listen)
    onTestFinished(() => server.close({ timeout: 0 }))
    const accepted = new Promise<{ remoteAddress?: string }>((resolve) => {
      server.on('connection', (peer) => resolve({ remoteAddress: peer.remoteAddress }))
    })
    const client = await connect({ backend, ...to(address as { port: number }) } as ConnectOptions & AsBuffer)
    const sent = [pattern(20), pattern(0), pattern(1_000_000), pattern(7)]
    const got = frames(client, sent.length)
    for (const payload of sent) client.send(payload)
    const echoed = await got
    for (let i = 0; i < sent.length; i++) expect(echoed[i].equals(sent[i])).toBe(true)
    const { remoteAddress } = client
    const closed = closing(client)
    client.end()
    expect(await closed).toBeUndefined()
    return { address, remoteAddress, accepted: await accepted }
  }

  it('TCP over IPv4', async () => {
    const { address, remoteAddress, accepted } = await echo({ port: 0, host: '127.0.0.1' }, ({ port }) => ({
      port,
      host: '127.0.0.1',
    }))
    expect(address).toMatchObject({ host: '127.0.0.1', family: 'IPv4', port: expect.any(Number) })
    expect(remoteAddress).toBe('127.0.0.1')
    expect(accepted.remoteAddress).toBe('127.0.0.1')
  })

  it('TCP by name', async () => {
    await echo({ port: 0 }, ({ port }) => ({ port, host: 'localhost' }))
  })

  it.runIf(process.platform === 'linux')('abstract names, the same to everybody', async () => {
    const name = `fw-${randomUUID()}`
    const path = `\0${name}`
    if (backend === 'js' && (await netFillsNames())) {
      const refused = { code: 'ERR_FRAME_BACKEND_UNSUPPORTED' }
      await expect(createServer({ backend }).listen(path)).rejects.toMatchObject(refused)
      await expect(connect({ backend, path })).rejects.toMatchObject(refused)
      return
    }
    const { address, remoteAddress } = await echo({ path }, () => ({ path }))
    expect(address).toEqual({ path })
    expect(boundNames()).toContain(`@${name}`)
    expect(remoteAddress).toBeUndefined()
  })

  it('refuses a port that is taken with the system’s error', async () => {
    const first = createServer({ backend })
    const address = (await first.listen({ port: 0, host: '127.0.0.1' })) as { port: number }
    onTestFinished(() => first.close({ timeout: 0 }))
    const second = createServer({ backend })
    await expect(second.listen({ port: address.port, host: '127.0.0.1' })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    })
  })

  it('rejects when nobody is at the port', async () => {
    const server = createServer({ backend })
    const { port } = (await server.listen({ port: 0, host: '127.0.0.1' })) as { port: number }
    await server.close()
    const connecting = connect({ backend, port, host: '127.0.0.1' })
    await expect(connecting).rejects.toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect' })
  })
}
