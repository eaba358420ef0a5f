// require-backend.mjs native|js: exits 1 unless the built package chooses that backend. For CI, where a quiet fallback
// would let every test of the other backend pass without having run.
import { backendInfo } from 'framewire'

const info = backendInfo()
console.log(info)
if (info.backend !== process.argv[2]) {
  console.error(`expected the ${process.argv[2]} backend`)
  process.exit(1)
}
