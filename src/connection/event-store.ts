/**
 * Where an EventEmitter keeps its listeners, made small. Node's own store is an object in dictionary mode, 200 bytes in
 * every connection whether anybody listens or not; ours is made with the first listener and has a hidden class.
 */
import { EventEmitter } from 'node:events'

/** `_events` is as old as Node and what every subclass of EventEmitter shares: undefined means nobody listens. */
type WithStore = EventEmitter & { _events?: Record<string, unknown> }

/** Nothing may be found in a store but listeners, so its prototype has nothing. */
const EMPTY: object = Object.freeze(Object.create(null))

function createStore(): Record<string, unknown> {
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

/**
 * The listener of `event` when there is one only: calling it costs a third of `emit`, which makes an array of its
 * arguments. undefined: none, several, or one whose rejections somebody wants captured; then `emit` it is.
 */
export function onlyListener(
  emitter: EventEmitter,
  event: string,
): ((...args: unknown[]) => unknown) | undefined {
  const found = (emitter as WithStore)._events?.[event]
  return typeof found === 'function' && !EventEmitter.captureRejections
    ? (found as (...args: unknown[]) => unknown)
    : undefined
}
