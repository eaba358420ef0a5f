/** Every fault the package promises to survive, numbered as in docs/reliability.md, for one backend. */
import { describe } from 'vitest'
import type { Backend } from '../../contract/suite/harness.js'
import { callbackFaults } from './callbacks.js'
import { limitFaults } from './limits.js'
import { memoryFaults } from './memory.js'
import { peerFaults } from './peers.js'
import { processFaults } from './processes.js'
import { streamFaults } from './streams.js'
import { threadFaults } from './threads.js'

export function faults(backend: Backend): void {
  describe('streams', () => streamFaults(backend))
  describe('limits', () => limitFaults(backend))
  describe('callbacks', () => callbackFaults(backend))
  describe('memory', () => memoryFaults(backend))
  describe('processes', () => processFaults(backend))
  describe('threads', () => threadFaults(backend))
  describe('peers', () => peerFaults(backend))
}
