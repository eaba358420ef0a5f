/**
 * The face of a Node stream for an object that has a Transform in it: everything a Transform can be asked, passed on.
 * Knows what a Transform has, not what goes through it.
 *
 * Inheriting from Transform is not possible: there `push` and `end`, `readable` and `writable` mean something else.
 */
import { Transform } from 'node:stream'

/** Listeners, `pipe`, `write`, `read`, `destroy`, `for await` and so on. */
export type StreamFace = NodeJS.ReadWriteStream & Omit<Transform, keyof NodeJS.ReadWriteStream | 'push'>

/** An object may be asked of its stream at any time: it is made for the first question. */
export interface HasStream {
  /** @internal */
  readonly stream: Transform
}

/** What pipelines look at in a stream beside its public side. */
const STATES = ['_readableState', '_writableState']

/** Gives objects of `prototype` what a Transform has and they have not. */
export function passOn(prototype: HasStream): void {
  const names = new Set<PropertyKey>(STATES)
  for (let from = Transform.prototype; from !== Object.prototype; from = Object.getPrototypeOf(from))
    for (const name of Reflect.ownKeys(from)) if (!String(name).startsWith('_')) names.add(name)
  for (const name of names) if (!(name in prototype)) Object.defineProperty(prototype, name, passing(name))
}

function passing(name: PropertyKey): PropertyDescriptor {
  const isMethod = typeof describe(name)?.value === 'function'
  if (!isMethod) {
    return {
      configurable: true,
      get(this: HasStream) {
        return Reflect.get(this.stream, name)
      },
    }
  }
  return {
    configurable: true,
    writable: true,
    value(this: HasStream, ...args: unknown[]) {
      const { stream } = this
      const result = Reflect.apply(Reflect.get(stream, name) as () => unknown, stream, args)
      return result === stream ? this : result
    },
  }
}

/** How a Transform has `name`, without asking for it: a getter would want a stream. */
function describe(name: PropertyKey): PropertyDescriptor | undefined {
  for (let from: object | null = Transform.prototype; from !== null; from = Object.getPrototypeOf(from)) {
    const found = Object.getOwnPropertyDescriptor(from, name)
    if (found !== undefined) return found
  }
  return undefined
}
