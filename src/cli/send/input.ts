/** What `send` sends: words of the command line, a file, stdin, lines of either. Knows bytes, not sockets. */
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { describeError, UsageError } from '../exit.js'

export type Encoding = 'text' | 'hex' | 'json'

export interface InputOptions {
  readonly words: readonly string[]
  /** `-`: stdin. */
  readonly file: string | undefined
  readonly as: Encoding
}

/** The one payload of the command. */
export async function readPayload({ words, file, as }: InputOptions): Promise<Buffer> {
  if (words.length > 0) {
    if (file !== undefined) throw new UsageError('a payload and --file exclude each other')
    if (words.length > 1) throw new UsageError('one payload; quote it when it has spaces')
    if (words[0] !== '-') return encode(words[0], as)
  }
  const bytes = await readAll(file ?? '-')
  return as === 'text' ? bytes : encode(bytes.toString(), as)
}

/** A payload per line, without its end. Empty lines are payloads too, but not in JSON. */
export async function* readLines({ words, file, as }: InputOptions): AsyncGenerator<Buffer> {
  if (words.length > 0) throw new UsageError('--lines reads stdin or --file, not a payload')
  for await (const line of linesOf(file ?? '-')) {
    if (as === 'text' || line.trim() !== '') yield encode(line, as)
  }
}

async function* linesOf(file: string): AsyncGenerator<string> {
  try {
    const input = file === '-' ? process.stdin : createReadStream(file)
    yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
  } catch (error) {
    throw unreadable(file, error)
  }
}

async function readAll(file: string): Promise<Buffer> {
  try {
    if (file !== '-') return await readFile(file)
    const chunks: Buffer[] = []
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks)
  } catch (error) {
    throw unreadable(file, error)
  }
}

/** Its code is one that a socket's path may have as well: nobody is to take it for a server that is not there. */
function unreadable(file: string, error: unknown): UsageError {
  return new UsageError(`${file === '-' ? 'stdin' : `--file ${file}`}: ${describeError(error)}`)
}

function encode(text: string, as: Encoding): Buffer {
  if (as === 'text') return Buffer.from(text)
  if (as === 'json') return Buffer.from(compactJson(text))
  const digits = text.replace(/\s+|^0x/g, '')
  if (!/^([0-9a-f]{2})*$/i.test(digits))
    throw new UsageError('--as hex: the payload is not pairs of hex digits')
  return Buffer.from(digits, 'hex')
}

/** Checks it and takes white space out; the rest stays as it is written, numbers that JavaScript cannot hold included. */
function compactJson(text: string): string {
  try {
    JSON.parse(text)
  } catch (error) {
    throw new UsageError(`--as json: ${(error as Error).message}`)
  }
  return text.replace(/("(?:[^"\\]|\\.)*")|\s+/g, '$1')
}
