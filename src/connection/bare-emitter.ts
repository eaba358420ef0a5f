/**
 * An EventEmitter that costs little until somebody listens. Node's constructor gives every emitter an object in dictionary
 * mode, 200 bytes, and three fields that its prototype has as well; its methods work without them. Knows listeners, not
 * what is emitted.
 */
import { EventEmitter } from 'node:events'

/** Nothing may be found in a store but listeners, so its prototype has nothing. */
const EMPTY: object = Object.freeze(Object.create(null))

/** The listeners of one emitter, by event. Made by a constructor, it is as large as such stores turn out to be, not a guess. */
function Store(this: object): void {}
Store.prototype = EMPTY

/** EventEmitter's methods without its constructor. */
function Methods(): void {}
Methods.prototype = EventEmitter.prototype

export abstract class BareEmitter extends (Methods as unknown as typeof EventEmitter) {
  /** As old as Node, and what every subclass of EventEmitter shares: undefined means nobody listens. */
  private _events: Record<string, unknown> | undefined
  /** Events that have listeners. */
  protected _eventsCount: number

  constructor() {
    super()
    this._events = undefined
    this._eventsCount = 0
  }

  /** To be called before a listener is added. */
  protected expectListener(): void {
    this._events ??= new (Store as unknown as new () => Record<string, unknown>)()
  }

  /**
   * The listener of `event` when there is one only: calling it costs a third of `emit`, which makes an array of its
   * arguments. undefined: none, several, or one whose rejections somebody wants captured; then `emit` it is.
   */
  protected onlyListener(event: string): ((...args: unknown[]) => unknown) | undefined {
    const found = this._events?.[event]
    return typeof found === 'function' && !EventEmitter.captureRejections
      ? (found as (...args: unknown[]) => unknown)
      : undefined
  }
}
