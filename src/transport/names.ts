/** Names of machines and their addresses, asked for as long as somebody waits. Knows no sockets. */
import dns from 'node:dns'

/**
 * The addresses of `host`, in the order in which node:net tries them: as the system says, the families by turns
 * (RFC 8305), each once.
 * @throws (rejects) the system's `ENOTFOUND` and so on; at once with what `signal` was aborted with: the question itself cannot
 * be taken back, and its answer is dropped.
 */
export async function addressesOf(host: string, signal: AbortSignal | undefined): Promise<string[]> {
  const found = await lookup(host, signal)
  const [first] = found
  const other = found.filter(({ family }) => family !== first.family)
  const same = found.filter(({ family }) => family === first.family)
  const inTurn = same.flatMap((one, i) => (i < other.length ? [one, other[i]] : [one]))
  return [...new Set([...inTurn, ...other.slice(same.length)].map(({ address }) => address))]
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
