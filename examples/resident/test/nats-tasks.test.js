import { describeTasks } from './contract/tasks.js'

describeTasks('NATS', { nats: true, residents: 2 })
