import { describe } from 'vitest'
import { faults } from './suite/index.js'

describe('js backend', () => faults('js'))
