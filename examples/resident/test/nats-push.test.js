import { describePush } from './contract/push.js'

describePush('NATS', { nats: true, residents: 2 })
