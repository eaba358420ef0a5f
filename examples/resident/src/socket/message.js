// Message: the JSON object an application sends, and the checks on its fields. Knows no command.
import { Refusal } from '../refusal.js'

const bad = (msg) => new Refusal('BAD_MESSAGE', msg)

/** @param {Buffer} payload  @returns {Record<string, unknown>} */
export function parseMessage(payload) {
  let message
  try {
    message = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
  } catch (error) {
    throw new Refusal('BAD_JSON', `not JSON: ${error.message}`)
  }
  if (message === null || typeof message !== 'object' || Array.isArray(message))
    throw new Refusal('BAD_JSON', 'the message must be a JSON object')
  return message
}

/** A name: 1 to 200 characters. */
export function name(message, field) {
  const value = message[field]
  if (typeof value !== 'string' || value === '' || value.length > 200)
    throw bad(`${field} must be a string of 1 to 200 characters`)
  return value
}

export function names(message, field) {
  const value = message[field]
  if (!Array.isArray(value) || value.length > 1000 || !value.every((each) => typeof each === 'string'))
    throw bad(`${field} must be a list of at most 1,000 strings`)
  return value
}

/** A whole number from `least` to `most`. */
export function whole(message, field, least = 0, most = Number.MAX_SAFE_INTEGER) {
  const value = message[field]
  if (!Number.isSafeInteger(value) || value < least || value > most)
    throw bad(`${field} must be a whole number from ${least} to ${most}`)
  return value
}

/** @template T @param {(message: object, field: string, ...more: number[]) => T} check  @returns {T | undefined} */
export function optional(check, message, field, ...more) {
  return message[field] === undefined || message[field] === null ? undefined : check(message, field, ...more)
}
