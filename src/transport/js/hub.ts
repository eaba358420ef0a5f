/** What all channels of one js transport share: memory, one timer, ids. Knows no sockets. */
import { seal } from '../../codec/node/seal.js'
import { ScanSpace } from '../../codec/reassembly.js'
import { Leftovers } from '../leftovers.js'
import { TurnShare } from '../turn-share.js'
import { Budget } from './budget.js'
import { BulkReading } from './bulk-reading.js'
import { Deadlines } from './deadlines.js'
import { OutSlab } from './out-slab.js'
import { ReadPool } from './read-pool.js'
import { ReadShare } from './read-share.js'

/** Size of the out slab: large enough that a write is worth its system call, small enough for the cache. */
const OUT_SLAB_BYTES = 256 * 1024

/** Most frames of one batch, so that a chunk of empty frames does not become one endless callback. */
const BATCH_ROWS = 4096

export class Hub {
  readonly deadlines = new Deadlines()
  readonly scan = new ScanSpace(BATCH_ROWS, seal)
  readonly bulk = new BulkReading()
  readonly reads = new ReadPool()
  readonly leftovers = new Leftovers()
  readonly turnShare = new TurnShare()
  readonly readShare = new ReadShare()
  readonly #outBytes: number
  #out: OutSlab | undefined
  #lastId = 0
  readonly #budgets = new WeakMap<object, Budget>()

  constructor(outBytes = OUT_SLAB_BYTES) {
    this.#outBytes = outBytes
  }

  get out(): OutSlab {
    this.#out ??= new OutSlab(this.#outBytes)
    return this.#out
  }

  nextId(): number {
    return ++this.#lastId
  }

  /** Channels made with one and the same config object share its budget. */
  budgetOf(config: { readonly memoryBudget: number }): Budget {
    let budget = this.#budgets.get(config)
    if (budget === undefined) {
      budget = new Budget(config.memoryBudget)
      this.#budgets.set(config, budget)
    }
    return budget
  }
}
