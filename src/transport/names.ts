/** Names of machines and their addresses, asked for as long as somebody waits. Knows no sockets. */
import dns from 'node:dns'

/**
 * The addresses of `host`, as the system orders them.
 * @throws (rejects) the system's `ENOTFOUND` and so on; at once with what `signal` was aborted with: the question itself cannot
 * be taken back, and its answer is dropped.
 */
export async function addressesOf(host: string, signal: AbortSignal | undefined): Promise<string[]> {
  return (await lookup(host, signal)).map(({ address }) => address)
}

/** The one address of `host` to listen at, which is the first. Throws as {@link addressesOf}. */
export async function firstAddressOf(host: string, signal: AbortSignal | undefined): Promise<string> {
  return (await lookup(host, signal))[0].address
}

function lookup(host: string, signal: AbortSignal | undefined): Promise<dns.LookupAddress[]> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const onAbort = () => reject(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    // Asked for by its object, as node:net does: programs put a resolver with a cache there.
    dns.lookup(host, { all: true }, (error, addresses) => {
      signal?.removeEventListener('abort', onAbort)
      if (error === null) resolve(addresses)
      else reject(error)
    })
  })
}
