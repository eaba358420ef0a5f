// Asks a resident process over its framed socket, as the application does.
import { setTimeout as delay } from 'node:timers/promises'
import { request } from 'framewire'

/** @returns {Promise<Record<string, any>>} the reply, refusals too */
export async function ask(path, message) {
  const reply = await request({ path }, typeof message === 'string' ? message : JSON.stringify(message))
  return JSON.parse(reply.toString())
}

/** Asks until the answer is the one that is waited for; connection errors count as another answer. */
export async function askUntil(path, message, wanted, limit = 20_000) {
  let answer
  for (const until = Date.now() + limit; Date.now() < until; await delay(25)) {
    answer = await ask(path, message).catch((error) => ({ error: error.message }))
    if (wanted(answer)) return answer
  }
  throw new Error(`waited ${limit} ms in vain, last: ${JSON.stringify(answer)}`)
}

/** The task once it has ended. */
export async function ended(path, id, limit) {
  const { task } = await askUntil(path, { do: 'status', id }, ({ task }) => task?.finishedAt, limit)
  return task
}
