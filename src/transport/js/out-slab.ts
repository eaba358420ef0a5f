/**
 * The out slab: one piece of memory in which the frames that all channels send in a turn are put one behind the other,
 * and from which they are written, one write a channel, when the turn ends. Knows offsets and whose they are, not
 * frames or sockets.
 *
 * Memory that a write still uses is not used again: the slab is put aside until that write is done. A channel that is
 * stuck would keep a whole slab so, therefore only a few are lent; beyond that {@link lend} says to copy.
 *
 * Whoever sends may be at the end of the stack, where any call throws: it comes before what it is to change.
 */
import { OwnBytes } from '../../codec/own-buffer.js'
import { needStackRoom } from './stack-room.js'

/** Slabs that may be put aside at a time. */
const MOST_LENT = 4

/** Whose bytes lie in a slab. */
export interface SlabUser {
  /** `piece` of `slab` holds its bytes: valid until `writeOut` has returned, or as long as the slab is lent. */
  takeOut(piece: Buffer, slab: Slab): void
  /** Every piece of this turn was taken: write. */
  writeOut(): void
}

export class Slab {
  readonly bytes: Buffer
  /** Writes that use it beyond their flush. */
  loans = 0
  /** Flushes that are at work on it. */
  flushes = 0

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size)
  }

  get isFree(): boolean {
    return this.loans === 0 && this.flushes === 0
  }
}

/** What the channels have put into a slab since the last flush: who, and where it starts and ends. */
class Turn {
  readonly users: SlabUser[] = []
  readonly edges: number[] = []
  /** So many of them were handed over. */
  collected = 0

  /** The user comes last: what is not there yet does not count. */
  add(user: SlabUser, start: number, end: number): void {
    const at = 2 * this.users.length
    this.edges[at] = start
    this.edges[at + 1] = end
    this.users.push(user)
  }

  clear(): void {
    this.collected = 0
    this.users.length = 0
    this.edges.length = 0
  }
}

export class OutSlab {
  /** Memory to write to, between `reserve` and setting `at`. */
  bytes: Buffer
  /** Where free memory begins. */
  at = 0
  readonly #size: number
  #slab: Slab
  #spareSlab: Slab | undefined
  #lent = 0
  #owner: SlabUser | undefined
  #start = 0
  #turn = new Turn()
  #spareTurn = new Turn()
  #scheduled = false

  constructor(size: number) {
    this.#size = size
    this.#slab = new Slab(size)
    this.bytes = this.#slab.bytes
  }

  /**
   * Offset of `size` free bytes for `user`, which writes all of them and then sets `at` behind them. Until it does they are nobody's.
   * @throws {RangeError} the stack is at its end.
   */
  reserve(user: SlabUser, size: number): number {
    if (this.at + size > this.#size) this.#makeRoom(size)
    if (this.#owner !== user) this.#changeOwner(user)
    return this.at
  }

  /** A write goes on using `slab`; returns false when too many are lent already: then copy. */
  lend(slab: Slab): boolean {
    if (slab.loans === 0) {
      if (this.#lent === MOST_LENT) return false
      this.#lent++
    }
    slab.loans++
    return true
  }

  giveBack(slab: Slab): void {
    if (--slab.loans > 0) return
    this.#lent--
    this.#retire(slab)
  }

  /** `user` has something to write at the end of the turn that does not lie here. */
  touch(user: SlabUser): void {
    this.#schedule()
    this.#turn.add(user, this.at, this.at)
  }

  /** Hands what lies here to its channels, so that something else can be queued behind it. Writes nothing yet. */
  collect(): void {
    const turn = this.#turn
    if (this.#owner !== undefined && this.at > this.#start) turn.add(this.#owner, this.#start, this.at)
    this.#owner = undefined
    const { users, edges } = turn
    const slab = this.#slab
    const { buffer, byteOffset } = slab.bytes
    for (let i = turn.collected; i < users.length; i++) {
      const length = edges[2 * i + 1] - edges[2 * i]
      if (length > 0) users[i].takeOut(new OwnBytes(buffer, byteOffset + edges[2 * i], length), slab)
      turn.collected = i + 1
    }
  }

  /** Lets every channel write. A write may send again: that is the next flush's. */
  flush(): void {
    this.collect()
    const turn = this.#turn
    const slab = this.#slab
    const spare = new Turn()
    this.#scheduled = false
    if (turn.users.length > 0) {
      this.#turn = this.#spareTurn
      this.#spareTurn = spare
      slab.flushes++
      try {
        for (const user of turn.users) user.writeOut()
      } finally {
        slab.flushes--
        turn.clear()
        this.#spareTurn = turn
      }
    }
    this.#recycle(slab)
  }

  #makeRoom(size: number): void {
    needStackRoom()
    while (this.at + size > this.#size) this.flush()
  }

  #changeOwner(user: SlabUser): void {
    this.#schedule()
    if (this.#owner !== undefined && this.at > this.#start) {
      this.#turn.add(this.#owner, this.#start, this.at)
    }
    this.#owner = user
    this.#start = this.at
  }

  #schedule(): void {
    if (this.#scheduled) return
    process.nextTick(this.#flushLater)
    this.#scheduled = true
  }

  readonly #flushLater = (): void => {
    if (this.#scheduled) this.flush()
  }

  #recycle(slab: Slab): void {
    if (slab !== this.#slab) this.#retire(slab)
    else if (this.#owner === undefined && this.#turn.users.length === 0) {
      if (slab.isFree) this.at = 0
      else this.#replace()
    }
  }

  #replace(): void {
    this.#slab = this.#spareSlab ?? new Slab(this.#size)
    this.#spareSlab = undefined
    this.bytes = this.#slab.bytes
    this.at = 0
  }

  #retire(slab: Slab): void {
    if (slab !== this.#slab && slab.isFree) this.#spareSlab = slab
  }
}
