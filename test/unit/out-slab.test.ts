import { describe, expect, it } from 'vitest'
import { OutSlab, type Slab, type SlabUser } from '../../dist/esm/transport/js/out-slab.js'

class User implements SlabUser {
  readonly pieces: [text: string, slab: Slab][] = []
  writes = 0
  onWrite: (() => void) | undefined

  takeOut(piece: Buffer, slab: Slab): void {
    this.pieces.push([piece.toString(), slab])
  }

  writeOut(): void {
    this.writes++
    this.onWrite?.()
  }
}

function put(slab: OutSlab, user: User, text: string): void {
  const at = slab.reserve(user, text.length)
  slab.bytes.write(text, at)
  slab.at = at + text.length
}

const texts = (user: User) => user.pieces.map(([text]) => text)

describe('the out slab', () => {
  it('hands neighbouring frames of one channel over as one piece, at the end of the turn', async () => {
    const slab = new OutSlab(100)
    const [a, b] = [new User(), new User()]
    put(slab, a, 'a1')
    put(slab, a, 'a2')
    put(slab, b, 'b1')
    put(slab, a, 'a3')
    expect(texts(a)).toEqual([])
    await new Promise((resolve) => process.nextTick(resolve))
    expect([texts(a), texts(b)]).toEqual([['a1a2', 'a3'], ['b1']])
    expect(slab.at).toBe(0)
  })

  it('writes when it is full and goes on at its start', () => {
    const slab = new OutSlab(10)
    const user = new User()
    for (const text of ['12345', '67890', 'abc']) put(slab, user, text)
    expect(texts(user)).toEqual(['1234567890'])
    slab.flush()
    expect(texts(user)).toEqual(['1234567890', 'abc'])
  })

  it('does not use memory that is lent', () => {
    const slab = new OutSlab(10)
    const user = new User()
    put(slab, user, 'first')
    let lent: Slab | undefined
    user.onWrite = () => {
      lent = user.pieces[0][1]
      expect(slab.lend(lent)).toBe(true)
      user.onWrite = undefined
    }
    const memory = slab.bytes
    slab.flush()
    put(slab, user, 'other')
    slab.flush()
    expect(memory.toString('latin1', 0, 5)).toBe('first')
    slab.giveBack(lent as Slab)
    expect(texts(user)).toEqual(['first', 'other'])
  })

  it('lends a few slabs and then says to copy', () => {
    const slab = new OutSlab(10)
    const answers: boolean[] = []
    for (let i = 0; i < 6; i++) {
      const user = new User()
      user.onWrite = () => answers.push(slab.lend(user.pieces[0][1]))
      put(slab, user, `no. ${i}`)
      slab.flush()
    }
    expect(answers).toEqual([true, true, true, true, false, false])
  })

  it('takes sends from inside a write, also when it is full', () => {
    const slab = new OutSlab(10)
    const [outer, inner] = [new User(), new User()]
    put(slab, outer, 'outer')
    outer.onWrite = () => {
      outer.onWrite = undefined
      put(slab, inner, 'in1')
      put(slab, inner, 'in2-in2')
      put(slab, inner, 'in3')
    }
    slab.flush()
    slab.flush()
    expect(texts(outer)).toEqual(['outer'])
    expect(texts(inner).join('')).toBe('in1in2-in2in3')
  })

  it('keeps the order when something else is queued in between', () => {
    const slab = new OutSlab(100)
    const user = new User()
    put(slab, user, 'before')
    slab.collect()
    expect(texts(user)).toEqual(['before'])
    expect(user.writes).toBe(0)
    put(slab, user, 'behind')
    slab.flush()
    expect(texts(user)).toEqual(['before', 'behind'])
    expect(user.writes).toBeGreaterThan(0)
  })
})
