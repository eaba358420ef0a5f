/** Errors of listening in the shape `net` gives them. Knows no causes. */
import { constants } from 'node:os'

/** `listen CODE: address`. */
export function systemError(code: string, address: string, errno?: number): Error {
  const known = (constants.errno as Record<string, number>)[code]
  return Object.assign(new Error(`listen ${code}: ${address}`), {
    code,
    errno: errno ?? (known === undefined ? undefined : -known),
    syscall: 'listen',
    address,
  })
}
