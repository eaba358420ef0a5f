// Commands: what may stand in `do`, which fields it takes, and what it answers. Knows messages, tasks and push; no socket.
import { Refusal } from '../refusal.js'
import { name, names, optional, whole } from './message.js'

const YEAR = 366 * 24 * 3600_000

/** @param {import('../tasks/desk.js').Desk} desk */
function taskCommands(desk) {
  return {
    task: (m) =>
      desk.accept({
        name: name(m, 'name'),
        data: m.data,
        user: optional(name, m, 'user'),
        delay: optional(whole, m, 'delay', 0, YEAR),
        deadline: optional(whole, m, 'deadline'),
        expiresIn: optional(whole, m, 'expiresIn', 0, YEAR),
      }),
    status: async (m) => ({ task: await desk.status(name(m, 'id')) }),
    tasks: async (m) => ({
      tasks: await desk.list({
        state: optional(name, m, 'state'),
        user: optional(name, m, 'user'),
        limit: optional(whole, m, 'limit', 1, 1000),
      }),
    }),
  }
}

/** @param {import('../push/push.js').Push} push  @param {import('../push/directory.js').Directory} directory */
function pushCommands(push, directory) {
  const send = (m, to) => {
    const except = optional(names, m, 'except')
    return push.send(except ? { ...to, except } : to, name(m, 'type'), m.data ?? null)
  }
  return {
    token: async (m) => {
      const expiresAt = Date.now() + whole(m, 'expiresIn', 1, YEAR)
      await directory.setToken(name(m, 'token'), name(m, 'user'), expiresAt)
      return { expiresAt }
    },
    toUser: (m) => send(m, { user: name(m, 'user') }),
    toGroup: (m) => send(m, { group: name(m, 'group') }),
    toAll: (m) => send(m, {}),
    join: (m) => push.join(name(m, 'group'), name(m, 'user')),
    leave: (m) => push.leave(name(m, 'group'), name(m, 'user')),
    group: (m) =>
      directory.setRule(name(m, 'group'), name(m, 'policy'), optional(whole, m, 'limit', 1, 10_000) ?? 256),
    online: async (m) => {
      const browsers = push.online(name(m, 'user'))
      return { online: browsers > 0, browsers }
    },
    kick: async (m) => ({
      closed: await push.kick(name(m, 'user'), optional(name, m, 'reason') ?? 'logged out'),
    }),
  }
}

/** @returns {(message: Record<string, unknown>) => Promise<object>} */
export function commands({ desk, push, directory }) {
  const table = { ...taskCommands(desk), ...pushCommands(push, directory), ping: async () => ({}) }
  return async (message) => {
    const command = name(message, 'do')
    if (!Object.hasOwn(table, command))
      throw new Refusal('UNKNOWN_COMMAND', `do is one of ${Object.keys(table).join(', ')}`)
    return { res: 'ok', ...(await table[command](message)) }
  }
}
