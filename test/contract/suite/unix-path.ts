/** A unix socket's path: taken by exactly one, never from somebody alive, and left as it was found. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { link, lstat, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer as createNetServer } from 'node:net'
import { dirname, join } from 'node:path'
import { createServer, type ListenOptions, request, type Server } from 'framewire'
import { expect, it, onTestFinished } from 'vitest'
import { netFillsNames } from './abstract-names.js'
import type { Backend } from './harness.js'
import { folder, rejection } from './service.js'

const isLinux = process.platform === 'linux'

/** Leaves the socket file of a process that was killed. */
async function leftover(path: string): Promise<void> {
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
  const child = spawn(process.execPath, ['-e', script])
  await once(child, 'exit')
  expect((await lstat(path)).isSocket()).toBe(true)
}

export function unixPathContract(backend: Backend): void {
  const listening = async (where: string | ListenOptions, name = 'here'): Promise<Server> => {
    const server = createServer({ backend, onRequest: () => name })
    onTestFinished(() => server.close({ timeout: 0 }))
    await server.listen(where)
    return server
  }
  const whoAnswers = async (path: string) => String(await request({ backend, path }, '?'))

  it('is removed by who has gone to another folder since', async () => {
    const directory = await folder()
    const script = `import { createServer } from 'framewire'
      const server = createServer({ backend: '${backend}' })
      process.chdir(${JSON.stringify(directory)})
      await server.listen('s')
      process.chdir('/')
      await server.close()`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' })
    expect(await once(child, 'exit')).toEqual([0, null])
    expect(await readdir(directory)).toEqual([])
  })

  it('appears with listen and is gone with close, and nothing else is left', async () => {
    const directory = await folder()
    const path = join(directory, 's')
    const server = await listening(path)
    expect(server.address()).toEqual({ path })
    expect(await readdir(directory)).toEqual(['s'])
    await server.close()
    expect(await readdir(directory)).toEqual([])
  })

  it('has the mode that was asked for', async () => {
    const path = join(await folder(), 's')
    await listening({ path, mode: 0o600 })
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await whoAnswers(path)).toBe('here')
  })

  it.runIf(process.getuid?.() === 0)('has the owner that was asked for', async () => {
    const path = join(await folder(), 's')
    await listening({ path, mode: 0o660, owner: { uid: 12345, gid: 54321 } })
    expect(await stat(path)).toMatchObject({ uid: 12345, gid: 54321 })
  })

  it.each([
    [{ mode: 0o1000 }],
    [{ mode: -1 }],
    [{ mode: 1.5 }],
    [{ owner: { uid: -1 } }],
    [{ owner: { gid: 'users' } }],
  ])('refuses %j', async (options) => {
    const directory = await folder()
    const error = await rejection(listening({ path: join(directory, 's'), ...options } as ListenOptions))
    expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_FRAME_OPTION_INVALID' })
    expect(await readdir(directory)).toEqual([])
  })

  it.runIf(isLinux)('takes a path of 107 bytes, and refuses 108 before anything is bound', async () => {
    const directory = await folder()
    const room = 107 - Buffer.byteLength(directory) - 1
    const path = join(directory, 'é'.repeat(room >> 1) + 'x'.repeat(room & 1))
    expect(Buffer.byteLength(path)).toBe(107)
    const server = await listening(path)
    expect(await whoAnswers(path)).toBe('here')
    await server.close()
    for (const extra of ['y', 'y'.repeat(100)]) {
      expect(await rejection(listening(path + extra))).toMatchObject({ code: 'ERR_FRAME_PATH_TOO_LONG' })
    }
    expect(await readdir(directory)).toEqual([])
  })

  it.runIf(isLinux)('takes a short name in a folder with a long one, leftover and all', async () => {
    const base = await folder()
    const directory = join(base, 'd'.repeat(107 - Buffer.byteLength(base) - 3))
    await mkdir(directory)
    const path = join(directory, 's')
    await leftover(path)
    const server = await listening(path)
    expect(await whoAnswers(path)).toBe('here')
    expect(await rejection(listening(path))).toMatchObject({ code: 'EADDRINUSE' })
    await server.close()
    expect(await readdir(directory)).toEqual([])
  })

  it('is not taken from a live server', async () => {
    const path = join(await folder(), 's')
    await listening(path, 'first')
    const error = await rejection(listening(path, 'second'))
    expect(error).toMatchObject({ code: 'EADDRINUSE', syscall: 'listen', address: path })
    expect(await whoAnswers(path)).toBe('first')
    expect(await readdir(dirname(path))).toEqual(['s'])
  })

  it('is not taken from a live server of another kind', async () => {
    const path = join(await folder(), 's')
    const other = createNetServer().listen(path)
    await once(other, 'listening')
    expect(await rejection(listening(path))).toMatchObject({ code: 'EADDRINUSE' })
    expect((await lstat(path)).isSocket()).toBe(true)
    await new Promise((resolve) => other.close(resolve))
  })

  it('is taken over from a killed server', async () => {
    const path = join(await folder(), 's')
    await leftover(path)
    await listening(path)
    expect(await whoAnswers(path)).toBe('here')
    expect(await readdir(dirname(path))).toEqual(['s'])
  })

  it.runIf(process.platform !== 'win32')(
    "is nobody else's when no descriptor was left to find out",
    async () => {
      const path = join(await folder(), 's')
      await leftover(path)
      const script = `import { closeSync, openSync } from 'node:fs'
      import { createServer } from 'framewire'
      const path = ${JSON.stringify(path)}
      const first = createServer({ backend: '${backend}' })
      await first.listen(path + '.first')
      await first.close()
      const files = []
      try {
        for (;;) files.push(openSync('/dev/null'))
      } catch {}
      const server = createServer({ backend: '${backend}' })
      const said = await server.listen(path).catch(({ code, syscall, address }) => [code, syscall, address])
      for (const file of files) closeSync(file)
      const then = await server.listen(path)
      await server.close()
      console.log(JSON.stringify([said, then]))`
      const child = spawn('/bin/sh', [
        '-c',
        `ulimit -n 128; exec "${process.execPath}" --input-type=module -e "$0"`,
        script,
      ])
      onTestFinished(() => void child.kill())
      const [line] = await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
      expect(JSON.parse(String(line))).toEqual([['EMFILE', 'listen', path], { path }])
      expect(await readdir(dirname(path))).toEqual([])
    },
  )

  it('is taken over when a starter was killed while it was doing just that', async () => {
    const path = join(await folder(), 's')
    await leftover(path)
    const { ino } = await lstat(path, { bigint: true })
    // What such a starter leaves: its claim, which nobody answers at.
    await leftover(join(dirname(path), 'starter'))
    await link(join(dirname(path), 'starter'), join(dirname(path), `.fw-${ino.toString(36)}.0`))
    await listening(path)
    expect(await whoAnswers(path)).toBe('here')
    expect((await readdir(dirname(path))).sort()).toEqual(['s', 'starter'])
  })

  it('has one owner when many start at once, on a free path and on a leftover', async () => {
    const path = join(await folder(), 's')
    for (const isLeftover of [false, true, true]) {
      if (isLeftover) await leftover(path)
      const starts = await Promise.allSettled(
        Array.from({ length: 8 }, (_, i) => listening(path, `number ${i}`)),
      )
      const owners = starts.filter((start) => start.status === 'fulfilled')
      const losers = starts.filter((start) => start.status === 'rejected')
      expect(owners.length).toBe(1)
      expect(losers.map((loser) => loser.reason.code)).toEqual(Array(7).fill('EADDRINUSE'))
      const index = starts.findIndex((start) => start.status === 'fulfilled')
      expect(await whoAnswers(path)).toBe(`number ${index}`)
      expect(await readdir(dirname(path))).toEqual(['s'])
      await owners[0].value.close()
    }
  })

  it.each([
    ['a file', async (path: string) => writeFile(path, 'precious')],
    ['a folder', async (path: string) => void (await mkdir(path))],
    ['a symlink to nothing', async (path: string) => symlink('/nowhere/at/all', path)],
    [
      'a symlink to a socket',
      async (path: string) => {
        await leftover(`${path}.real`)
        await symlink(`${path}.real`, path)
      },
    ],
  ])('is left alone when it is %s', async (_what, make) => {
    const path = join(await folder(), 's')
    await make(path)
    const before = await lstat(path, { bigint: true })
    expect(await rejection(listening(path))).toMatchObject({ code: 'ERR_FRAME_PATH_NOT_SOCKET' })
    // Looking at it may change when it was read; nothing else.
    const { ino, mode, uid, gid, size, mtimeNs, ctimeNs } = before
    expect(await lstat(path, { bigint: true })).toMatchObject({ ino, mode, uid, gid, size, mtimeNs, ctimeNs })
    if (before.isFile()) expect(await readFile(path, 'utf8')).toBe('precious')
  })

  it('stays when its old server closes after a new one took it', async () => {
    const path = join(await folder(), 's')
    const old = await listening(path, 'old')
    // Somebody clears the way by hand.
    await rm(path)
    await listening(path, 'new')
    await old.close()
    expect(await whoAnswers(path)).toBe('new')
  })

  it('may be gone already when its server closes', async () => {
    const path = join(await folder(), 's')
    const server = await listening(path)
    await rm(path)
    await server.close()
  })

  it('says which folder is missing, and can be tried again', async () => {
    const directory = join(await folder(), 'later')
    const path = join(directory, 's')
    const server = createServer({ backend, onRequest: () => 'here' })
    onTestFinished(() => server.close({ timeout: 0 }))
    expect(await rejection(server.listen(path))).toMatchObject({
      code: 'ENOENT',
      syscall: 'listen',
      address: path,
    })
    await mkdir(directory)
    await server.listen(path)
    expect(await whoAnswers(path)).toBe('here')
  })

  it.runIf(isLinux)('may be an abstract name, which is no file', async () => {
    if (backend === 'js' && (await netFillsNames())) return
    const path = `\0framewire-test-${process.pid}-${backend}`
    const server = await listening(path, 'abstract')
    expect(await whoAnswers(path)).toBe('abstract')
    expect(await rejection(listening(path))).toMatchObject({ code: 'EADDRINUSE' })
    await server.close()
    await listening(path)
  })
}
