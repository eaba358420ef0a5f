/** Whether a value is an Error, also one of another realm (`node:vm`, a test runner), whose class is another. */
import { types } from 'node:util'

export function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value)
}
