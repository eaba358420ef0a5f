/**
 * The load test: the same request again and again, so many at a time, with the latency of each. Knows how a request is
 * made only as a function.
 */
import type { FrameError } from '../../errors.js'
import { codeOf } from '../exit.js'
import type { Terminal } from '../terminal.js'
import { LogHistogram } from './histogram.js'

export interface LoadPlan {
  readonly repeat: number
  readonly concurrency: number
  request(): Promise<Buffer>
}

export interface LoadResult {
  /** Latencies of answered requests, microseconds. */
  readonly latency: LogHistogram
  readonly seconds: number
  readonly replies: number
  readonly replyBytes: number
  /** How many failed, by code. */
  readonly failures: ReadonlyMap<string, number>
  /** Failed requests of which not a byte was written. */
  readonly neverWritten: number
}

/** Progress is shown at most so often, ms. */
const PROGRESS_MS = 100

export async function runLoad(plan: LoadPlan, terminal: Terminal): Promise<LoadResult> {
  const latency = new LogHistogram()
  const failures = new Map<string, number>()
  let started = 0
  let replies = 0
  let replyBytes = 0
  let neverWritten = 0
  const begin = performance.now()
  const timer = setInterval(() => showProgress(plan, latency, begin, terminal), PROGRESS_MS)

  async function one(): Promise<void> {
    const sent = performance.now()
    try {
      const reply = await plan.request()
      latency.record((performance.now() - sent) * 1000)
      replies++
      replyBytes += reply.length
    } catch (error) {
      const code = codeOf(error) ?? (error as Error).name
      failures.set(code, (failures.get(code) ?? 0) + 1)
      if ((error as FrameError).neverWritten === true) neverWritten++
    }
  }

  async function lane(): Promise<void> {
    while (started < plan.repeat) {
      started++
      await one()
    }
  }

  try {
    await Promise.all(Array.from({ length: Math.min(plan.concurrency, plan.repeat) }, lane))
  } finally {
    clearInterval(timer)
    terminal.clearProgress()
  }
  return { latency, seconds: (performance.now() - begin) / 1000, replies, replyBytes, failures, neverWritten }
}

function showProgress(plan: LoadPlan, latency: LogHistogram, begin: number, terminal: Terminal): void {
  const share = latency.count / plan.repeat
  const seconds = (performance.now() - begin) / 1000
  const left = share > 0 ? Math.ceil(seconds / share - seconds) : 0
  terminal.progress(
    share,
    `${latency.count} of ${plan.repeat}, ${Math.round(latency.count / seconds)}/s, ${left} s left`,
  )
}
