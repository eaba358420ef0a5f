/** Descriptors that are handed over, looked at before anything is started with them. Knows no more than what they are. */
import { fstatSync } from 'node:fs'

/** @throws the system's `EBADF` or `ENOTSOCK`, as of `listen`. */
export function checkSocket(fd: number): void {
  let code = 'EBADF'
  try {
    if (fstatSync(fd).isSocket()) return
    code = 'ENOTSOCK'
  } catch {}
  throw Object.assign(new Error(`listen ${code}: fd ${fd}`), { code, syscall: 'listen' })
}
