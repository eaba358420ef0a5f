// Task: what is told about one, and which states there are. Knows no store.
import { randomUUID } from 'node:crypto'

/**
 * waiting: not begun, or between two tries · running · done · failed: gave up · expired: its deadline passed before it ran
 * @typedef {'waiting' | 'running' | 'done' | 'failed' | 'expired'} TaskState
 *
 * @typedef {object} Task
 * @property {string} id
 * @property {string} name
 * @property {unknown} data
 * @property {string | null} user who hears of it
 * @property {TaskState} state
 * @property {number} createdAt ms since 1970, as all times here
 * @property {number} runAt not before
 * @property {number | null} deadline not after
 * @property {number} attempts how often it was begun
 * @property {number} failures how often it ended badly; attempts beyond that were cut short by the end of a process
 * @property {number} progress 0 to 1
 * @property {unknown} result
 * @property {{code: string, msg: string} | null} error the last one
 * @property {number | null} finishedAt
 */

export const UNFINISHED = ['waiting', 'running']
export const STATES = [...UNFINISHED, 'done', 'failed', 'expired']

/** @returns {Task} */
export function newTask({ name, data, user = null, delay = 0, deadline = null }) {
  const now = Date.now()
  return {
    id: randomUUID(),
    name,
    data,
    user,
    state: 'waiting',
    createdAt: now,
    runAt: now + delay,
    deadline,
    attempts: 0,
    failures: 0,
    progress: 0,
    result: null,
    error: null,
    finishedAt: null,
  }
}

export const EXPIRED = {
  state: 'expired',
  error: { code: 'EXPIRED', msg: 'its deadline passed before it ran' },
}

/** What the peer and the browser are told of a task: all but its data. */
export function describe({ data: _data, ...rest }) {
  return rest
}
