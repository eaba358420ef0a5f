/** Sends at the end of the stack: a handler that recurses as deep as a peer has it, and catches what comes of that. */
import type { Connection } from 'framewire'
import { describe, expect, it } from 'vitest'
import { type Backend, frame, pattern, settled, stage, unframe, until } from './harness.js'

/** So many calls of `send` for each time the stack was filled, from its very end on. */
const CALLS = 60
const ROUNDS = 20

type Recursion = (again: Recursion, send: () => void) => number

/**
 * Calls `send` where no further call is possible, and at every depth less; returns how far up it has come. `again` is this
 * function: what V8 would inline in its own body has frames so large that a `send` finds room in what is left of one.
 */
function atTheEnd(again: Recursion, send: () => void): number {
  let depth = 0
  try {
    depth = again(again, send)
  } catch {
    // That was the end.
  }
  if (depth < CALLS) send()
  return depth + 1
}

interface Target {
  send(payload: Buffer | string): unknown
}

/** Sends. */
function sendOn(target: Target, payload: Buffer | string): void {
  target.send(payload)
}

/** After these V8 has met so many kinds of callees in the functions above that it inlines none. */
function meetOthers(): void {
  const targets: Target[] = [0, 1, 2, 3, 4].map((i) => ({ [`${i}`]: i, send: () => i }))
  const ends: Recursion[] = [() => 0, () => 1, () => 2, () => 3, () => 4]
  // It takes no notice of the first calls of a function.
  for (let i = 0; i < 1000; i++) {
    for (const target of targets) sendOn(target, '')
    for (const end of ends) {
      atTheEnd(end, () => {})
      atTheEnd(end, () => i)
    }
  }
}

/** The same behind frames of other sizes, so that the end is met at other places. */
function behind(frames: number, send: () => void): void {
  if (frames > 0) behind(frames - 1, send)
  else atTheEnd(atTheEnd, send)
}

const kinds: [string, (i: number) => Buffer | string][] = [
  ['short text', (i) => `no. ${i}`],
  ['few bytes', (i) => pattern(40, i)],
  ['20,000 bytes', (i) => pattern(20_000, i)],
]

export function stackEndContract(backend: Backend): void {
  describe.each(kinds)('%s', (_kind, payloadOf) => {
    it.each(['in a turn', 'between turns'])(
      'a send that throws %s has queued nothing, the others go on',
      async (when) => {
        // At once before: what it has met is forgotten with the code of functions that are not called for a while.
        meetOthers()
        const { raw, accepted } = await stage(backend)
        const asker = await raw()
        const server = await accepted()
        const peers = [await raw(), await raw(), await raw()]
        const targets: Connection<Buffer, Uint8Array | string>[] = []
        for (const _ of peers) targets.push(await accepted())
        const most = ROUNDS * CALLS
        const payloads = Array.from({ length: most }, (_, i) => payloadOf(i))
        const isSent = new Uint8Array(most)
        let next = 0
        const send = () => {
          const i = next
          try {
            sendOn(targets[i % targets.length], payloads[i])
            isSent[i] = 1
          } catch {
            // Queued or not, that is the question.
          }
          next = i + 1
        }
        let rounds = 0
        server.on('frame', () => {
          if (when === 'in a turn') behind(rounds++ % 7, send)
          else setImmediate(() => behind(rounds++ % 7, send))
        })
        for (let i = 0; i < ROUNDS; i++) {
          const from = next
          await asker.write(frame('go'))
          await until(() => next > from)
          await settled()
        }
        const failed = isSent.subarray(0, next).filter((sent) => sent === 0).length
        expect(failed).toBeGreaterThan(ROUNDS)
        for (const [at, peer] of peers.entries()) {
          const expected = payloads.filter((_, i) => i % peers.length === at && isSent[i] === 1)
          // Without a word more, which would bring along what was left behind.
          await until(() => unframe(peer.received).length >= expected.length)
          targets[at].end('last')
          const got = unframe(await peer.ended())
          expect(got.map((payload) => payload.toString('latin1'))).toEqual(
            [...expected, 'last'].map((payload) => Buffer.from(payload).toString('latin1')),
          )
        }
      },
    )
  })
}
