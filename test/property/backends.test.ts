/** Both backends tell the same story about the same bytes, whatever the format, the limits, the chunks and the pauses. */

import fc from 'fast-check'
import { backendInfo, type Connection, encodeFrame, type FormatPreset } from 'framewire'
import { describe, expect, it } from 'vitest'
import { type Backend, pattern, RawPeer, stage } from '../contract/suite/harness.js'

const PRESETS = ['uint8', 'uint16le', 'uint24be', 'uint32be', 'uint64le', 'varint', 'workerman'] as const

interface Script {
  readonly format: FormatPreset
  readonly limit: number
  readonly sizes: readonly number[]
  /** What comes behind the frames. */
  readonly tail: Uint8Array
  /** Bytes cut off at the end of everything. */
  readonly cut: number
  readonly chunks: readonly number[]
  readonly mode: 'frame' | 'batch' | 'loop' | 'duplex'
  /** In 'frame' mode: frames after which the consumer pauses for a turn. */
  readonly pauses: readonly number[]
}

const script = fc.record<Script>({
  format: fc.constantFrom(...PRESETS),
  limit: fc.constantFrom(10, 200, 5000, 200_000),
  sizes: fc.array(fc.oneof(fc.nat(20), fc.nat(255), fc.nat(6000), fc.nat(70_000)), { maxLength: 40 }),
  tail: fc.oneof(fc.constant(new Uint8Array()), fc.uint8Array({ maxLength: 12 })),
  cut: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(300) }),
  chunks: fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 90_000 })), {
    minLength: 1,
  }),
  mode: fc.constantFrom('frame', 'batch', 'loop', 'duplex'),
  pauses: fc.array(fc.nat(40), { maxLength: 5 }),
})

function bytesOf({ format, sizes, tail, cut }: Script): Buffer {
  const most = format === 'uint8' ? 255 : format === 'uint16le' ? 65_535 : 70_000
  const frames = sizes.map((size, i) => encodeFrame(pattern(Math.min(size, most), i + 1), format))
  const all = Buffer.concat([...frames, tail])
  return all.subarray(0, Math.max(0, all.length - cut))
}

type Story = { readonly events: string[]; readonly echoed: string }

const digest = (bytes: Uint8Array) =>
  `${bytes.length}:${bytes.reduce((sum, byte) => (sum * 31 + byte) >>> 0, 7)}`

function describeError(error: unknown): string {
  const { code, declared, limit, received, hint } = error as Record<string, unknown>
  return JSON.stringify({ code, declared, limit, received, hint })
}

/** Consumes and echoes; every mode tells the same. */
function consume(connection: Connection, { mode, pauses }: Script, events: string[]): Promise<void> {
  const got = (payload: Uint8Array) => {
    events.push(digest(payload))
    connection.send(payload)
  }
  const closed = new Promise<string>((resolve) => {
    connection.on('close', (error) =>
      resolve(error === undefined ? 'close' : `close ${describeError(error)}`),
    )
  })
  // A loop and a stream take what waits in turns of their own, and the connection's 'close' does not wait for them.
  const readBehind = async (reading: Promise<unknown>) => {
    const [ending] = await Promise.all([closed, reading])
    events.push(ending)
  }
  if (mode === 'batch') connection.onBatch((batch) => batch.copyAll().forEach(got))
  else if (mode === 'duplex') {
    const duplex = connection.toDuplex()
    duplex.on('data', got)
    duplex.on('error', () => {})
    return readBehind(new Promise((resolve) => duplex.on('close', resolve)))
  } else if (mode === 'loop') {
    const loop = async () => {
      for await (const payload of connection) got(payload)
    }
    return readBehind(loop().catch(() => {}))
  } else {
    let count = 0
    connection.on('frame', (payload) => {
      got(payload)
      if (!pauses.includes(count++)) return
      connection.pause()
      setImmediate(() => connection.resume())
    })
  }
  return closed.then((ending) => void events.push(ending))
}

async function play(backend: Backend, given: Script): Promise<Story> {
  const { path, accepted, server } = await stage(backend, {
    format: given.format,
    maxFrameLength: given.limit,
  })
  const peer = await RawPeer.connect(path)
  const connection = await accepted()
  const events: string[] = []
  const over = consume(connection, given, events)
  const bytes = bytesOf(given)
  for (let at = 0, i = 0; at < bytes.length && !peer.socket.destroyed; i++) {
    const end = at + given.chunks[i % given.chunks.length]
    // A peer that is refused in the middle of its writing is told so by its next write.
    await peer.write(bytes.subarray(at, end)).catch((error) => events.push(`refused ${error.code}`))
    if (i > 2000) at = bytes.length
    else at = end
  }
  peer.socket.end()
  await over
  const echoed = digest(await peer.ended())
  await server.close({ timeout: 0 })
  const story = events.filter((event) => !event.startsWith('refused'))
  // A loop or a stream gets its turn after an error may have closed the sending side.
  const isLate = given.mode === 'loop' || given.mode === 'duplex'
  return { events: story, echoed: isLate && story.at(-1) !== 'close' ? 'whatever was in time' : echoed }
}

describe.runIf(backendInfo().backend === 'native')('js and native', () => {
  it('tell the same of any stream', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(script, async (given) => {
        const js = await play('js', given)
        const native = await play('native', given)
        expect(native).toEqual(js)
      }),
      { numRuns: Number(process.env.FRAMEWIRE_RUNS ?? 150) },
    )
  })
})
