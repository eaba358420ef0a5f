import type { Backend } from '../../contract/suite/harness.js'
export function processFaults(_backend: Backend): void {}
