import { describe } from 'vitest'
import { connectionContract } from './suite/index.js'

describe('js backend', () => connectionContract('js'))
