// Two backends, one story: random options, frames, cuts, pauses and ends go to a server or a client of each, by every consumer,
// and what they tell must be the same. Seeded; a difference is printed with its seed and the end of both stories.
//   npm run fuzz:api -- SECONDS [FIRST SEED]
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { planOf } from './lib/fuzz-plan.mjs'
import { tell } from './lib/fuzz-story.mjs'

/** The first difference between the stories of both backends, or undefined. */
export async function compare(seed, directory) {
  const plan = planOf(seed)
  const [js, native] = await Promise.all(
    ['js', 'native'].map((backend) => tell(backend, join(directory, backend), plan)),
  )
  for (let i = 0; i < Math.max(js.length, native.length); i++) {
    if (js[i] !== native[i])
      return {
        seed,
        plan: { ...plan, chunks: plan.chunks.map((chunk) => chunk.length) },
        js: js.slice(i, i + 2),
        native: native.slice(i, i + 2),
      }
  }
  return undefined
}

async function main(seconds, first) {
  const directory = mkdtempSync(join(tmpdir(), 'fw-fuzz-'))
  const end = performance.now() + seconds * 1000
  let seed = first
  let differences = 0
  try {
    for (; performance.now() < end && differences < 5; seed++) {
      const difference = await compare(seed, directory)
      if (difference === undefined) continue
      differences++
      console.error(JSON.stringify(difference, undefined, 1).slice(0, 2000))
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  console.log(`${seed - first} plans from seed ${first} on, ${differences} differences`)
  process.exitCode = differences === 0 ? 0 : 1
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  await main(Number(process.argv[2] ?? 10), Number(process.argv[3] ?? 1))
}
