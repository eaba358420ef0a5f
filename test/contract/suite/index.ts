/** The whole contract of connections, for one backend. */
import { describe } from 'vitest'
import { deliveryContract } from './delivery.js'
import type { Backend } from './harness.js'
import { lifecycleContract } from './lifecycle.js'
import { limitsContract } from './limits.js'
import { sendingContract } from './sending.js'

export function connectionContract(backend: Backend): void {
  describe('delivery', () => deliveryContract(backend))
  describe('sending', () => sendingContract(backend))
  describe('lifecycle', () => lifecycleContract(backend))
  describe('limits', () => limitsContract(backend))
}
