/** The addon's header scan behind the codec's. Keeps one compiled format per decoder, nothing else. */
import {
  SCAN_BODY,
  SCAN_BOUNDARY,
  SCAN_FULL,
  SCAN_HEADER,
  SCAN_INVALID,
  SCAN_TOO_LARGE,
  type Scanner,
} from '../../codec/scan.js'
import type { CompiledFormat } from '../../format.js'
import type { Binding } from './binding.js'

/** Values of `ScanStop` in native/core/scan.hpp. */
const STOPS = [SCAN_BOUNDARY, SCAN_FULL, SCAN_TOO_LARGE, SCAN_INVALID]

/** Places in the addon's result. */
const CONSUMED = 0
const ROWS = 1
const STOP = 2
const DECLARED = 3
const FRAME_BYTES = 4
const HEADER_BYTES = 5

export function createNativeScanner(binding: Binding): Scanner {
  const found = new Float64Array(6)
  let compiled: object | undefined
  let compiledFor: CompiledFormat | undefined
  return (format, limit, bytes, from, to, table, tableBase, maxRows, result) => {
    if (compiled === undefined || compiledFor !== format) {
      compiled = binding.createFormat(format)
      compiledFor = format
    }
    const rows = tableBase === 0 ? table : table.subarray(tableBase)
    binding.scan(compiled, bytes, from, to, limit, rows, maxRows, found)
    result.next = from + found[CONSUMED]
    result.rows = found[ROWS]
    result.payloadLength = found[DECLARED]
    result.frameLength = found[FRAME_BYTES]
    result.status = STOPS[found[STOP]]
    if (result.status === SCAN_TOO_LARGE) {
      // Whoever skips the frame wants to know how far.
      result.frameLength = found[DECLARED] + (format.strip < 0 ? found[HEADER_BYTES] : format.strip)
    } else if (result.status === SCAN_BOUNDARY && result.next < to) {
      result.status = result.frameLength === 0 ? SCAN_HEADER : SCAN_BODY
    }
  }
}
