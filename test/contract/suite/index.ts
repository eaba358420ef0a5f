/** The whole contract, for one backend. */
import { describe } from 'vitest'
import { borrowingContract } from './borrowing.js'
import { budgetContract } from './budget.js'
import { clientContract } from './client.js'
import { clientClosingContract } from './client-closing.js'
import { clientQueueContract } from './client-queue.js'
import { deliveryContract } from './delivery.js'
import { endingsContract } from './endings.js'
import { exchangeContract } from './exchange.js'
import { fairnessContract } from './fairness.js'
import type { Backend } from './harness.js'
import { lifecycleContract } from './lifecycle.js'
import { limitsContract } from './limits.js'
import { listeningContract } from './listening.js'
import { nameContract } from './names.js'
import { pollutedContract } from './polluted.js'
import { requestContract } from './requests.js'
import { sendingContract } from './sending.js'
import { serverContract } from './server.js'
import { socketContract } from './sockets.js'
import { stackEndContract } from './stack-end.js'
import { streamContract } from './streams.js'
import { unixPathContract } from './unix-path.js'
import { waitingContract } from './waiting.js'

export function connectionContract(backend: Backend): void {
  describe('delivery', () => deliveryContract(backend))
  describe('borrowing', () => borrowingContract(backend))
  describe('sending', () => sendingContract(backend))
  describe('sending at the end of the stack', () => stackEndContract(backend))
  describe('lifecycle', () => lifecycleContract(backend))
  describe('endings', () => endingsContract(backend))
  describe('waiting frames', () => waitingContract(backend))
  describe('streams', () => streamContract(backend))
  describe('memory budget', () => budgetContract(backend))
  describe('limits', () => limitsContract(backend))
  describe('fairness', () => fairnessContract(backend))
  describe('server', () => {
    listeningContract(backend)
    requestContract(backend)
    serverContract(backend)
  })
  describe('exchange', () => exchangeContract(backend))
  describe('client', () => {
    clientContract(backend)
    clientQueueContract(backend)
    clientClosingContract(backend)
  })
  describe('unix path', () => unixPathContract(backend))
  pollutedContract(backend)
  describe('sockets', () => socketContract(backend))
  describe('names', () => nameContract(backend))
}
