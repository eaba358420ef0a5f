// wine.mjs BACKEND LOG: the parts of the contract that hold on any stream socket, for scripts/check-wine.mjs, which bundles it.
// Not among them: what a unix socket alone does (its path, half of it closed on a pipe, a write that fails at once when the
// peer is gone) and how much a kernel takes before it says that it is full.
import { describe } from 'vitest'
import { runSuite } from '../../../scripts/lib/suite-runner.mjs'
import { borrowingContract } from '../suite/borrowing.ts'
import { deliveryContract } from '../suite/delivery.ts'
import { fairnessContract } from '../suite/fairness.ts'
import { stackEndContract } from '../suite/stack-end.ts'

const PARTS = {
  delivery: deliveryContract,
  borrowing: borrowingContract,
  'sending at the end of the stack': stackEndContract,
  fairness: fairnessContract,
}

/** By the name of the backend, what is left out. */
const LEFT = {
  // Waits until 64 KiB that nobody reads are in the kernel: wine's sockets take less.
  native: ['stops reading while a loop is busy, and loses nothing'],
  // Counts calls that fail at the end of the stack: there, none of them does.
  js: ['a send that throws between turns has queued nothing, the others go on'],
}

const [backend, log] = process.argv.slice(2)
await runSuite(
  () => {
    for (const [name, contract] of Object.entries(PARTS)) describe(name, () => contract(backend))
  },
  log,
  LEFT[backend],
)
process.exit(0)
