/** A server whose system calls fail: what it delivers is a prefix of what was sent, and nothing of it stays behind. */
import { connect as connectRaw } from 'node:net'
import { expect, it } from 'vitest'
import { type Backend, frame, pattern } from '../../contract/suite/harness.js'
import { preloading } from './preload.js'
import { startProgram } from './program.js'

const stream = Buffer.concat([1, 5, 300, 70_000, 0, 20_000, 2].map((size, i) => frame(pattern(size, i))))

/** Sends the stream and gives back what came back of it until the end. */
function exchange(path: string): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let received = 0
    const socket = connectRaw(path)
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      received += chunk.length
      if (received >= stream.length) socket.end()
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(Buffer.concat(chunks)))
    socket.write(stream)
  })
}

export function failingCalls(backend: Backend): void {
  it.each([3, 10, 31])(
    'n = %i: replies are a prefix, the server lives, and has everything back',
    async (every) => {
      const env = await preloading('failing-calls', { FAIL_EVERY: String(every) })
      const program = await startProgram('server.mjs', { backend, options: {} }, { env })
      const before = await program.ask<number>('descriptors')
      let whole = 0
      for (let round = 0; round < 20; round++) {
        const replies = await Promise.all(Array.from({ length: 10 }, () => exchange(program.path)))
        for (const reply of replies) {
          expect(reply.equals(stream.subarray(0, reply.length))).toBe(true)
          if (reply.length === stream.length) whole++
        }
      }
      expect(whole).toBeGreaterThan(0)
      expect(whole).toBeLessThan(200)
      for (;;) {
        const { stats } = await program.ask<{ stats: Record<string, number> }>('stats')
        if (stats.connections > 0) continue
        expect(stats.heldBytes).toBe(0)
        break
      }
      expect(await program.ask<number>('descriptors')).toBeLessThanOrEqual(before)
    },
  )
}
