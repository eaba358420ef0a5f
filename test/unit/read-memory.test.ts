import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { createServer, encodeFrame, type FrameBatch } from 'framewire'
import { afterAll, describe, expect, it } from 'vitest'
import { fixedMemory } from '../../dist/esm/codec/node/fixed-memory.js'
import { seal } from '../../dist/esm/codec/node/seal.js'
import { Reassembly, ScanSpace } from '../../dist/esm/codec/reassembly.js'
import { resolveFormat } from '../../dist/esm/format.js'
import { ReadMemory } from '../../dist/esm/transport/js/read-memory.js'
import { ReadPool } from '../../dist/esm/transport/js/read-pool.js'

const KIB = 1024
const directory = mkdtempSync(join(tmpdir(), 'framewire-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** Payload `i` of a stream: every byte depends on its place and on the frame. */
function payloadOf(i: number, size: number): Buffer {
  const payload = Buffer.allocUnsafe(size)
  for (let j = 0; j < size; j++) payload[j] = j * 31 + (j >> 8) * 17 + i * 7
  return payload
}

function memoryOf(pool = new ReadPool()) {
  const input = new Reassembly(resolveFormat('uint32be'), 16 * KIB * KIB, {
    space: new ScanSpace(1024, seal),
  })
  const memory = new ReadMemory(input, pool)
  const got: Buffer[] = []
  /** Reads as much of `wire` as fits, as a socket does; returns the rest. */
  const read = (wire: Buffer, keep: (batch: FrameBatch) => void) => {
    const count = wire.copy(memory.next)
    input.push(memory.take(count), keep)
    memory.advance(true)
    return wire.subarray(count)
  }
  const readAll = (wire: Buffer, keep = (batch: FrameBatch) => void got.push(...batch.copyAll())) => {
    for (let rest = wire; rest.length > 0; ) rest = read(rest, keep)
  }
  return { got, memory, pool, readAll }
}

const wireOf = (sizes: number[]) => Buffer.concat(sizes.map((size, i) => encodeFrame(payloadOf(i, size))))

describe('memory that a busy socket reads to', () => {
  it('is the slab for small frames, and for those that nobody keeps', () => {
    const small = memoryOf()
    small.readAll(wireOf(Array(4000).fill(64)))
    expect(small.memory.next).toBe(small.pool.slab)
    const looked = memoryOf()
    looked.readAll(wireOf(Array(40).fill(16 * KIB)), (batch) => void batch.view(0))
    expect(looked.memory.next).toBe(looked.pool.slab)
  })

  it('is a fresh block for frames of middle size that are kept, and their payloads are pieces of it', () => {
    const { got, memory, pool, readAll } = memoryOf()
    readAll(wireOf(Array(200).fill(16 * KIB)))
    expect(pool.lends(memory.next.buffer)).toBe(false)
    expect(got.at(-1)?.buffer.byteLength).toBe(256 * KIB)
    for (const [i, payload] of got.entries()) expect(payload.equals(payloadOf(i, 16 * KIB))).toBe(true)
  })

  it('is read to once if it is a block, and is the slab again behind a read that is no block full', () => {
    const { got, memory, pool, readAll } = memoryOf()
    const seen: ArrayBufferLike[] = []
    const wire = wireOf(Array(100).fill(16 * KIB))
    for (let rest = wire; rest.length > 0; ) {
      const { buffer } = memory.next
      if (buffer !== pool.slab.buffer) expect(seen).not.toContain(buffer)
      seen.push(buffer)
      const count = Math.min(memory.next.length, rest.length)
      readAll(rest.subarray(0, count))
      rest = rest.subarray(count)
    }
    expect(new Set(seen).size).toBeGreaterThan(4)
    expect(got.length).toBe(100)
    readAll(wireOf([16 * KIB]))
    expect(memory.next).toBe(pool.slab)
  })

  it('is the rest of a large frame, which is put together where it arrives', () => {
    const { got, memory, readAll } = memoryOf()
    const wire = wireOf([300 * KIB, 300 * KIB])
    readAll(wire.subarray(0, -100 * KIB))
    expect(memory.next.length).toBe(100 * KIB)
    readAll(wire.subarray(-100 * KIB))
    for (const [i, payload] of got.entries()) expect(payload.equals(payloadOf(i, 300 * KIB))).toBe(true)
    expect(got[1].buffer).not.toBe(memory.next.buffer)
  })

  it('is the slab again when 32 sockets have blocks, until one of them is closed', () => {
    const pool = new ReadPool()
    const busy = Array.from({ length: 33 }, () => memoryOf(pool))
    // The slab full, then a block full.
    const wire = wireOf(Array(20).fill(16 * KIB - 4))
    for (const { readAll } of busy) readAll(wire)
    expect(busy.map(({ memory }) => memory.next === pool.slab)).toEqual(busy.map((_, i) => i === 32))
    busy[0].memory.release()
    busy[32].readAll(wire)
    expect(busy[32].memory.next).not.toBe(pool.slab)
  })
})

/** Which takes the memory of what it is given. */
function intoStreamOfBytes(bytes: Uint8Array<ArrayBuffer>): void {
  new ReadableStream({ type: 'bytes', start: (controller) => controller.enqueue(bytes) })
}

describe('memory that is read into by its address', () => {
  it('is not moved by those who see it', () => {
    const memory = fixedMemory(64 * KIB)
    const buffer = memory.buffer as ArrayBuffer & { transfer?(): ArrayBuffer }
    const moves = [
      () => structuredClone(buffer, { transfer: [buffer] }),
      () => buffer.transfer?.(),
      () => intoStreamOfBytes(new Uint8Array(buffer, 8, 8)),
    ]
    for (const move of moves) {
      try {
        move()
      } catch {
        // Refused; what is copied instead is no harm.
      }
    }
    expect(memory.length).toBe(64 * KIB)
  })
})

describe('payloads of a busy js connection that are all kept', () => {
  it.each([
    ['middle sizes', (i: number) => 4 * KIB + ((i * 7919) % (60 * KIB))],
    ['large ones', (i: number) => 64 * KIB + ((i * 104_729) % (700 * KIB))],
    ['any size', (i: number) => (i % 9 === 0 ? (i * 104_729) % (512 * KIB) : (i * 7919) % (20 * KIB))],
  ])('%s are not written to again', async (_, sizeOf) => {
    const sizes = Array.from({ length: 160 }, (_, i) => sizeOf(i))
    const got: Buffer[] = []
    const server = createServer({ backend: 'js' }, (connection) => {
      connection.on('frame', (payload) => void got.push(payload))
    })
    const path = join(directory, 's')
    await server.listen(path)
    const client = connect(path)
    client.end(wireOf(sizes))
    client.resume()
    await once(client, 'close')
    await server.close()
    expect(got.map((payload) => payload.length)).toEqual(sizes)
    for (const [i, payload] of got.entries()) expect(payload.equals(payloadOf(i, sizes[i]))).toBe(true)
  })

  it('a payload that is transferred takes no neighbour with it', async () => {
    const { got, readAll } = memoryOf()
    readAll(wireOf(Array(60).fill(16 * KIB)))
    const worker = new Worker('', { eval: true })
    try {
      worker.postMessage(got[40], [got[40].buffer as ArrayBuffer])
    } catch {
      // Refused, by Node 22 and newer.
    }
    await worker.terminate()
    for (const [i, payload] of got.entries()) expect(payload.equals(payloadOf(i, 16 * KIB))).toBe(true)
  })
})
