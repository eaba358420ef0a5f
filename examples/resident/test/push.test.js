import { describePush } from './contract/push.js'

describePush('SQLite', {})
