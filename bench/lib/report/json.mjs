// The results for programs: everything, or the form that github-action-benchmark reads.

export function plain({ machine, method, ratios, rows, memory }) {
  return {
    machine,
    method,
    ratios,
    rows: rows.map(({ row, results }) => ({
      id: row.id,
      title: row.title,
      transport: row.tcp ? 'tcp' : 'unix',
      results,
    })),
    memory,
  }
}

/** `customBiggerIsBetter`: rates, and those ratios of which more is better. */
export function githubActionBenchmark({ ratios, rows, memory }) {
  const entries = ratios
    .filter((ratio) => !ratio.lower)
    .map((ratio) => ({ name: ratio.title, unit: 'x', value: Number(ratio.value.toPrecision(4)) }))
  const add = (name, { rate, spread }) => {
    if (!Number.isFinite(rate)) return
    entries.push({ name, unit: 'frames/s', value: Math.round(rate), range: `±${(spread * 100).toFixed(1)}%` })
  }
  for (const { row, results } of rows) {
    for (const [party, result] of Object.entries(results)) add(`${row.title} / ${party}`, result)
  }
  for (const one of memory)
    add(`${one.op} ${one.size} B, ${one.chunking}, ${one.delivery} / ${one.party}`, one)
  return entries
}
