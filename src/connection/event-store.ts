/**
 * Where an EventEmitter keeps its listeners, made small. Node's own store is an object in dictionary mode, 200 bytes in
 * every connection whether anybody listens or not; ours is made with the first listener and has a hidden class.
 */
import type { EventEmitter } from 'node:events'

/** `_events` is as old as Node and what every subclass of EventEmitter shares: undefined means nobody listens. */
type WithStore = EventEmitter & { _events?: object }

/** Nothing may be found in a store but listeners, so its prototype has nothing. */
const EMPTY: object = Object.freeze(Object.create(null))

function createStore(): object {
  return Object.create(EMPTY)
}

export function forgetStore(emitter: EventEmitter): void {
  ;(emitter as WithStore)._events = undefined
}

/** Before the first listener is added. */
export function makeStore(emitter: EventEmitter): void {
  const target = emitter as WithStore
  target._events ??= createStore()
}
