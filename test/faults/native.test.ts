import { backendInfo } from 'framewire'
import { describe, it } from 'vitest'
import { faults } from './suite/index.js'

const isWanted = process.env.FRAMEWIRE_BACKEND !== 'js'

if (!isWanted) {
  describe('native backend', () => it('is left out by FRAMEWIRE_BACKEND=js', () => {}))
} else if (backendInfo().backend === 'native') {
  describe('native backend', () => faults('native'))
} else {
  it('has the addon', () => {
    throw new Error(
      `The native backend is not there: ${backendInfo().reason}. Build it with "npm run build:native".`,
    )
  })
}
