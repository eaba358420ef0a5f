import { describeTasks } from './contract/tasks.js'

describeTasks('SQLite', {})
