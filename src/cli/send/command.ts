/** `framewire send`: one request, a request per line, or a load test. */

import type { ConnectOptions } from '../../client/index.js'
import { connect, createClient, request } from '../../client/index.js'
import { command } from '../command.js'
import { describeError, EXIT, exitCodeOf, UsageError } from '../exit.js'
import {
  BACKEND_FLAG,
  choice,
  FORMAT_FLAGS,
  JSON_FLAG,
  parseBytes,
  parseCount,
  parseFormat,
  parseTime,
  TARGET_FLAGS,
  targetOf,
} from '../flags.js'
import type { Terminal } from '../terminal.js'
import { type Encoding, readLines, readPayload } from './input.js'
import { runLoad } from './load.js'
import { loadAsJson, type Printing, printLoad, printReply } from './report.js'

const ARGS = {
  payload: {
    type: 'positional',
    required: false,
    description: 'Payload of the request; - or nothing: stdin',
  },
  ...TARGET_FLAGS,
  file: { type: 'string', valueHint: 'file', description: 'Read the payload from here; - is stdin' },
  lines: { type: 'boolean', description: 'Every line of the input is a request, every reply a line' },
  as: choice(['text', 'hex', 'json'], 'What the payload is written in', 'text'),
  print: choice(['text', 'raw', 'hex', 'none'], 'How replies are printed; raw adds no end of line', 'text'),
  reply: {
    type: 'boolean',
    default: true,
    description: 'Wait for a reply',
    negativeDescription: 'Send, and close',
  },
  repeat: {
    type: 'string',
    valueHint: 'number',
    description: 'Send the request so many times, and show latencies',
  },
  concurrency: { type: 'string', valueHint: 'number', description: 'Requests at a time; default 1' },
  connections: {
    type: 'string',
    valueHint: 'number',
    description: 'Connections they are spread over; default 1',
  },
  exchange: choice(['stream', 'once'], 'once: each request on a connection of its own', 'stream'),
  timeout: {
    type: 'string',
    valueHint: 'ms',
    description: 'Limit of a request, connecting included; default 10s',
  },
  ...FORMAT_FLAGS,
  ...BACKEND_FLAG,
  ...JSON_FLAG,
} as const

export default command({
  name: 'send',
  description: 'Send requests and print the replies, or measure them',
  args: ARGS,
  examples: [
    [`framewire send --path /run/app.sock '{"task":"mail"}'`, 'One request, its reply on stdout'],
    ['framewire send --port 8000 --file request.bin --print hex', 'Bytes from a file, the reply in hex'],
    ['framewire send --path /run/app.sock --lines --as json < requests.ndjson', 'A request per line'],
    ['framewire send --path /run/app.sock hello --repeat 100000 --concurrency 64', 'A load test'],
    [
      'framewire send --path /run/app.sock hello --repeat 10000 --concurrency 16 --exchange once',
      'A connection for each request',
    ],
  ],
  async run(args, terminal) {
    const target = targetOf(args)
    if (target === undefined) throw new UsageError('where to send: --path or --port')
    const options: ConnectOptions = {
      ...target,
      backend: args.backend as ConnectOptions['backend'],
      format: parseFormat(args.format),
      maxFrameLength: parseBytes('max-frame-length', args['max-frame-length']),
    }
    const job: Job = {
      options,
      input: { words: args._, file: args.file, as: args.as as Encoding },
      timeout: parseTime('timeout', args.timeout) ?? 10_000,
      print: args.print as Printing,
      json: args.json === true,
      terminal,
    }
    const repeat = parseCount('repeat', args.repeat, 1)
    const concurrency = parseCount('concurrency', args.concurrency, 1)
    const connections = parseCount('connections', args.connections, 1)
    const once = args.exchange === 'once'
    if (repeat === undefined && (concurrency ?? connections) !== undefined) {
      throw new UsageError('--concurrency and --connections go with --repeat')
    }
    if (args.lines === true && (repeat !== undefined || !args.reply)) {
      throw new UsageError('--lines excludes --repeat and --no-reply')
    }
    if (repeat !== undefined && !args.reply) throw new UsageError('--repeat excludes --no-reply')
    if (repeat !== undefined) {
      return measure({ ...job, repeat, concurrency: concurrency ?? 1, connections: connections ?? 1, once })
    }
    if (args.lines === true) return sendLines(job, once)
    return args.reply ? sendOne(job) : sendAndClose(job)
  },
})

interface Job {
  readonly options: ConnectOptions
  readonly input: {
    readonly words: readonly string[]
    readonly file: string | undefined
    readonly as: Encoding
  }
  readonly timeout: number
  readonly print: Printing
  readonly json: boolean
  readonly terminal: Terminal
}

async function sendOne(job: Job): Promise<number> {
  const payload = await readPayload(job.input)
  const begin = performance.now()
  try {
    const reply = await request({ ...job.options, serialization: 'buffer' }, payload, {
      timeout: job.timeout,
    })
    printReply({ payload: reply, ms: performance.now() - begin }, job.print, job.json, job.terminal)
    return EXIT.OK
  } catch (error) {
    return failed(error, job)
  }
}

async function sendAndClose(job: Job): Promise<number> {
  const payload = await readPayload(job.input)
  const connectTimeout = job.timeout
  try {
    const connection = await connect({
      ...job.options,
      connectTimeout,
      writeTimeout: job.timeout,
      serialization: 'buffer',
    })
    await connection.sendAsync(payload)
    // 0: no limit of the command's own.
    await connection.close(job.timeout === 0 ? {} : { timeout: job.timeout })
    if (job.json) job.terminal.json({ ok: true, written: payload.length })
    return EXIT.OK
  } catch (error) {
    return failed(error, job)
  }
}

/** Replies in order, one request at a time, so that the first failure says which line it was. */
async function sendLines(job: Job, once: boolean): Promise<number> {
  const sender = makeSender(job, once, 1)
  let line = 0
  try {
    for await (const payload of readLines(job.input)) {
      line++
      const begin = performance.now()
      const reply = await sender.request(payload)
      printReply({ payload: reply, ms: performance.now() - begin }, job.print, job.json, job.terminal)
    }
    return EXIT.OK
  } catch (error) {
    if (error instanceof UsageError) throw error
    job.terminal.note(`framewire: request ${line} failed`)
    return failed(error, job)
  } finally {
    await sender.close()
  }
}

interface Load extends Job {
  readonly repeat: number
  readonly concurrency: number
  readonly connections: number
  readonly once: boolean
}

async function measure(load: Load): Promise<number> {
  const { repeat, concurrency, connections, once, json, terminal } = load
  const payload = await readPayload(load.input)
  const sender = makeSender(load, once, connections)
  try {
    // Nobody there is one clear error, and not --repeat failures.
    if (!once) await sender.connected()
    const result = await runLoad({ repeat, concurrency, request: () => sender.request(payload) }, terminal)
    if (json) terminal.json(loadAsJson(result))
    else printLoad(result, terminal)
    return result.failures.size === 0 ? EXIT.OK : EXIT.FAILED
  } catch (error) {
    return failed(error, load)
  } finally {
    await sender.close()
  }
}

interface Sender {
  connected(): Promise<void>
  request(payload: Buffer): Promise<Buffer>
  close(): Promise<void>
}

function makeSender({ options, timeout }: Job, once: boolean, connections: number): Sender {
  if (once) {
    return {
      connected: async () => undefined,
      request: (payload) => request({ ...options, serialization: 'buffer' }, payload, { timeout }),
      close: async () => undefined,
    }
  }
  const client = createClient({
    ...options,
    serialization: 'buffer',
    connections,
    requestTimeout: timeout,
    reconnect: false,
  })
  const connected = new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve())
    client.once('error', reject)
  })
  // Asked for by those who wait for it; a request fails by itself.
  connected.catch(() => undefined)
  return {
    connected: () => connected,
    request: (payload) => client.request(payload),
    close: async () => {
      await client.close()
    },
  }
}

function failed(error: unknown, { json, terminal }: Job): number {
  if (json) {
    const { code, neverWritten } = error as { code?: unknown; neverWritten?: unknown }
    terminal.json({ ok: false, code, message: describeError(error), neverWritten })
  } else {
    terminal.note(`framewire: ${describeError(error)}`)
  }
  return exitCodeOf(error)
}
