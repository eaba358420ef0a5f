/** Faults that end or starve a whole process: servers that are killed, no descriptors left. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { connect as connectRaw, type Socket } from 'node:net'
import { join } from 'node:path'
import { type Connection, connect, createClient } from 'framewire'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Backend, frame, randomizer, settled, until } from '../../contract/suite/harness.js'
import { folder } from '../../contract/suite/service.js'
import { unixPathContract } from '../../contract/suite/unix-path.js'
import { failingCalls } from './failing-calls.js'
import { type Program, startProgram } from './program.js'
import { stoppedFaults } from './stopped.js'

const MIB = 1024 * 1024

export function processFaults(backend: Backend): void {
  if (process.platform === 'linux') {
    describe('22. every n-th system call fails', () => failingCalls(backend))
    stoppedFaults(backend)
  }

  if (process.platform !== 'win32') {
    it('23. with 64 descriptors and 500 clients those accepted are served, nothing spins, and it recovers', async () => {
      const program = await startProgram(
        'server.mjs',
        { backend, options: {} },
        { execPath: '/bin/sh', execArgv: ['-c', `ulimit -n 64; exec "${process.execPath}" "$0" "$1"`] },
      )
      const sockets: Socket[] = []
      onTestFinished(() => sockets.forEach((socket) => void socket.destroy()))
      const echoed = new Set<Socket>()
      let closed = 0
      for (let i = 0; i < 500; i++) {
        const socket = connectRaw({ path: program.path, allowHalfOpen: false })
        sockets.push(socket)
        socket.on('error', () => {})
        socket.on('close', () => closed++)
        socket.on('data', () => echoed.add(socket))
        socket.write(frame('ping'))
      }
      await until(() => echoed.size + closed >= 500)
      const { stats, dropped } = await program.ask<{
        stats: Record<string, number>
        dropped: Record<string, number>
      }>('stats')
      expect(echoed.size).toBeGreaterThan(20)
      expect(echoed.size).toBeLessThan(64)
      expect(stats.connections).toBe(echoed.size)
      expect(stats.accepted).toBe(echoed.size)
      expect(dropped.descriptors).toBe(500 - echoed.size)
      // Nothing to do is nothing done, although the limit is still reached.
      const before = await program.ask<number>('cpu')
      await new Promise((resolve) => setTimeout(resolve, 500))
      expect((await program.ask<number>('cpu')) - before).toBeLessThan(250)
      // Room again: the next one is served.
      for (const socket of sockets) socket.destroy()
      for (;;) {
        const again = await program.ask<{ stats: Record<string, number> }>('stats')
        if (again.stats.connections === 0) break
      }
      const late = connectRaw(program.path)
      sockets.push(late)
      late.write(frame('late'))
      const answer = await new Promise((resolve) => late.once('data', resolve))
      expect(String(answer)).toBe(String(frame('late')))
    })
  }

  if (process.platform === 'linux') {
    it('23. with every descriptor in other hands clients are refused and counted, and served when there are some', async () => {
      const program = await startProgram(
        'server.mjs',
        { backend, options: {} },
        { execPath: '/bin/sh', execArgv: ['-c', `ulimit -n 64; exec "${process.execPath}" "$0" "$1"`] },
      )
      const ask = () =>
        new Promise<string>((resolve) => {
          const socket = connectRaw(program.path)
          socket.on('error', () => {})
          socket.on('data', (answer) => {
            resolve(String(answer))
            socket.destroy()
          })
          socket.on('close', () => resolve('refused'))
          socket.write(frame('ping'))
        })
      const counted = async () => {
        const { dropped } = await program.ask<{ dropped: Record<string, number> }>('stats')
        return dropped.descriptors ?? 0
      }
      const connections = async () =>
        (await program.ask<{ stats: { connections: number } }>('stats')).stats.connections
      for (let round = 0; round < 2; round++) {
        // Theirs are free again.
        while ((await connections()) > 0);
        expect(await program.ask<number>('fill')).toBeGreaterThan(10)
        // The js backend takes a second to notice.
        const before = await counted()
        while ((await counted()) === before) expect(await ask()).toBe('refused')
        const first = await counted()
        for (let i = 0; i < 10; i++) expect(await ask()).toBe('refused')
        // One may come while another thread of the process has a file open for a moment.
        expect((await counted()) - first).toBeGreaterThanOrEqual(9)
        await program.ask('empty')
        for (let i = 0; i < 10; i++) expect(await ask()).toBe(String(frame('ping')))
      }
    })
  }

  describe('24. a socket path is taken by one, never from somebody alive, and left as it was found:', () =>
    unixPathContract(backend))

  it('25. a server killed 100 times: each send settles once, never-written ones never arrived, none arrived twice, none is missing in between', async () => {
    const kills = 100
    const seed = 20_261_123
    const random = randomizer(seed)
    const directory = await folder()
    const path = join(directory, 's')
    const record = join(directory, 'record')
    const standby = () => startProgram('recorder.mjs', { backend, record, path })
    const outcomes = new Map<string, string[]>()
    const settle = (name: string, word: string) => {
      const words = outcomes.get(name) ?? []
      words.push(word)
      outcomes.set(name, words)
    }
    const failure = (error: { code?: string; neverWritten?: boolean }) =>
      error.neverWritten === true ? 'never' : error.neverWritten === false ? 'unknown' : `${error.code}`
    let sequence = 0
    const next = (kind: string) => `${kind}${String(++sequence).padStart(11, '0')}`
    /** Length and hash of each payload. */
    const contents = new Map<string, string>()
    const payloadOf = (name: string) => {
      const payload = Buffer.alloc(12 + Math.floor(random() ** 8 * 200_000), name)
      contents.set(name, `${payload.length} ${createHash('sha1').update(payload).digest('hex')}`)
      return payload
    }

    // Requests through a client that connects again by itself, and sends through connections we make again.
    const client = createClient({
      backend,
      path,
      requestTimeout: 0,
      maxQueued: Infinity,
      reconnect: { initial: 1, max: 20 },
    } as Parameters<typeof createClient>[0])
    client.on('error', () => {})
    onTestFinished(() => client.close({ timeout: 0 }))
    const ask = () => {
      const name = next('r')
      outcomes.set(name, [])
      client.request(payloadOf(name)).then(
        (reply) => settle(name, String(reply) === name ? 'answered' : `answered with ${reply}`),
        (error) => settle(name, failure(error)),
      )
    }
    let connection: Connection | undefined
    /** What was sent on each of our connections, in order. */
    const sent: string[][] = []
    const send = () => {
      if (connection === undefined || !connection.writable) return
      const name = next('s')
      outcomes.set(name, [])
      sent[sent.length - 1].push(name)
      connection.sendAsync(payloadOf(name)).then(
        () => settle(name, 'written'),
        (error) => settle(name, failure(error)),
      )
    }

    let waiting: Promise<Program> = standby()
    for (let kill = 0; kill < kills; kill++) {
      const program = await waiting
      await program.ask('listen')
      waiting = standby()
      connection = await connect({ backend, path })
      sent.push([])
      connection.onBatch(() => {})
      const turns = 1 + Math.floor(random() * 40)
      const burst = 1 + Math.floor(random() * 30)
      for (let turn = 0; turn < turns; turn++) {
        if (connection.stats().bytesQueued < 4 * MIB) {
          for (let i = 0; i < burst; i++) {
            send()
            if (client.stats().queued + client.stats().pending < 2000) ask()
          }
        }
        await settled()
      }
      program.child.kill('SIGKILL')
      await program.exit
    }
    await (await waiting).ask('listen')
    // What still waits is answered by the last one.
    await until(() => [...outcomes.values()].every((words) => words.length > 0))

    const lines = (await readFile(record, 'latin1')).split('\n')
    lines.pop()
    const times = new Map<string, number>()
    /** What arrived, by the server's connections. */
    const arrivals = new Map<string, string[]>()
    for (const line of lines) {
      const [name, on, ...content] = line.trimEnd().split(' ')
      times.set(name, (times.get(name) ?? 0) + 1)
      expect(content.join(' '), name).toBe(contents.get(name))
      const names = arrivals.get(on)
      if (names === undefined) arrivals.set(on, [name])
      else names.push(name)
    }
    const count: Record<string, number> = {}
    for (const [name, words] of outcomes) {
      expect(words.length, name).toBe(1)
      const [word] = words
      count[word] = (count[word] ?? 0) + 1
      if (word === 'answered') expect(times.get(name), name).toBe(1)
      else if (word === 'never') expect(times.get(name), name).toBe(undefined)
      else expect(['written', 'unknown'], `${name} ${word}`).toContain(word)
    }
    for (const [name, n] of times) expect([n, outcomes.has(name)], name).toEqual([1, true])
    const asked = [...outcomes.keys()].filter((name) => name.startsWith('r'))
    /** Of the requests, how many lie behind: those of a later connection come later. */
    let behind = 0
    for (const [on, names] of arrivals) {
      if (names[0].startsWith('s')) {
        const all = sent.find(([first]) => first === names[0])
        expect(names, on).toEqual(all?.slice(0, names.length))
        continue
      }
      // A connection of the client begins with what the one before it did not take, and leaves nothing out either.
      const from = asked.indexOf(names[0], behind)
      expect(names, on).toEqual(asked.slice(from, from + names.length))
      for (const name of asked.slice(behind, from))
        expect(['never', 'unknown'], name).toContain(outcomes.get(name)?.[0])
      behind = from + names.length
    }
    expect(count.answered).toBeGreaterThan(kills)
    console.log(
      `${backend}: ${kills} kills, ${outcomes.size} frames: ${JSON.stringify(count)}, arrived ${lines.length}`,
    )
  }, 150_000)
}
