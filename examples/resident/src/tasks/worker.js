// Runs one task in a worker thread: loads the application's module, calls the task, passes its progress on.

const REPORT_EVERY = 200

/** @param {{module: string, name: string, data: unknown, attempt: number, port: import('node:worker_threads').MessagePort}} job */
export default async function work({ module, name, data, attempt, port }) {
  const { default: tasks } = await import(module)
  let reported = 0
  const progress = (value) => {
    const now = Date.now()
    if (now - reported < REPORT_EVERY) return
    reported = now
    port.postMessage(Math.min(Math.max(Number(value) || 0, 0), 1))
  }
  try {
    const result = await tasks[name].run(data, { progress, attempt })
    // Through JSON here: what cannot be stored fails the task, not the process.
    return JSON.stringify(result ?? null)
  } finally {
    port.close()
  }
}
