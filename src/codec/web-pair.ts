/**
 * The web streams of a decoder: chunks in, payloads out. Knows backpressure and in which order things are told, nothing
 * of frames.
 *
 * A `TransformStream` would not do: it errors its readable side at once, and what was queued there in front of the error
 * is lost. Here the error waits until the reader asks for more than there is.
 */

export interface Decoding<In, Out> {
  /** Calls `give` for each payload that is whole by now. Throws after those in front of an error. */
  push(chunk: In, give: (payload: Out) => void): unknown
  /** Throws when the stream ended too early. */
  end(): void
}

/** Two sides of one stream, as a `TransformStream` has them: nothing is taken in before the reader wants something. */
export function webPair<In, Out>(decoding: Decoding<In, Out>): TransformStream<In, Out> {
  let output!: ReadableStreamDefaultController<Out>
  let input!: WritableStreamDefaultController & { readonly signal?: AbortSignal }
  /** The reader waits, and nothing is queued. */
  let isWanted = false
  /** Nobody is left to read it, or to write it. */
  let isOver = false
  let isCancelled = false
  let proceed = () => {}

  const wanted = () =>
    new Promise<void>((resolve) => {
      proceed = resolve
      if (isWanted || isOver) resolve()
    })
  const leave = () => {
    isOver = true
    proceed()
  }
  const give = (payload: Out) => {
    isWanted = false
    output.enqueue(payload)
  }
  const run = async (step: () => unknown) => {
    try {
      step()
    } catch (error) {
      await wanted()
      output.error(error)
      throw error
    }
  }

  const readable = new ReadableStream<Out>(
    {
      start: (controller) => {
        output = controller as ReadableStreamDefaultController<Out>
      },
      pull: () => {
        isWanted = true
        proceed()
      },
      cancel: (reason) => {
        isCancelled = true
        input.error(reason)
        leave()
      },
    },
    { highWaterMark: 0 },
  )
  const writable = new WritableStream<In>({
    start: (controller) => {
      input = controller
      // At once, where `abort` is not called before the write that waits has settled.
      input.signal?.addEventListener('abort', leave)
    },
    write: async (chunk) => {
      await wanted()
      if (!isOver) await run(() => decoding.push(chunk, give))
    },
    close: async () => {
      await run(() => decoding.end())
      // An abort waits for this close, and the reader for its end; who has cancelled has closed it.
      if (!isCancelled) output.close()
    },
    abort: (reason) => output.error(reason),
  })
  return { readable, writable }
}
