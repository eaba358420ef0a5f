// Which errors mean that the NATS server is away, and what an application is told then.
import {
  ClosedConnectionError,
  ConnectionError,
  NoRespondersError,
  RequestError,
  TimeoutError,
} from '@nats-io/transport-node'
import { Refusal } from '../refusal.js'

const OUTAGE = [TimeoutError, RequestError, NoRespondersError, ConnectionError, ClosedConnectionError]

/** @param {Error} error  @returns {Refusal | undefined} undefined: it is something else */
export function explainOutage(error) {
  if (!OUTAGE.some((kind) => error instanceof kind)) return undefined
  return new Refusal(
    'UNAVAILABLE',
    'the message server does not answer; it may still get this when it is back',
  )
}
