/**
 * Room on the stack for what must not be left half done: `stream.write` of somebody else's, say, which would not be told that it
 * ended in the middle. Knows the stack, not what is done on it.
 */

/** Arguments of a call, 8 bytes each: 32 KiB, many times what a write of node:net takes. */
const ROOM = new Array<undefined>(4096).fill(undefined)

/** Costs 2 us, so it is for what happens once in many frames. @throws {RangeError} there is no such room. */
export function needStackRoom(): void {
  Reflect.apply(nothing, undefined, ROOM)
}

function nothing(): void {}
