import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { check, drive } from '../../bench/lib/measure.mjs'
import { readOptions, UsageError } from '../../bench/lib/options.mjs'
import { planOf } from '../../bench/lib/plan.mjs'
import { besideNet, gateFailures, ratiosOf } from '../../bench/lib/ratios.mjs'
import { chartsOf } from '../../bench/lib/report/charts.mjs'
import { githubActionBenchmark } from '../../bench/lib/report/json.mjs'
import { ROWS } from '../../bench/lib/rows.mjs'
import { median, spread } from '../../bench/lib/stats.mjs'

const row = { id: 'receive-64', mode: 'receive', size: 64 }
const idle = { frames: 0, payloadBytes: 0, bytes: 0, errors: 0 }
const result = { frames: 10, payloadBytes: 640, bytes: 680, errors: 0 }

describe('a measurement', () => {
  it('counts when both sides counted the same frames and bytes', () => {
    expect(() => check(row, result, idle, { ...idle, frames: 10, payloadBytes: 640 })).not.toThrow()
  })

  it('has no figure when the server missed a frame, saw other bytes, or a reply was wrong', () => {
    const served = { ...idle, frames: 10, payloadBytes: 640 }
    expect(() => check(row, result, idle, { ...served, frames: 9 })).toThrow(/frames: server 9, generator 10/)
    expect(() => check(row, result, idle, { ...served, payloadBytes: 641 })).toThrow(/payload bytes/)
    expect(() => check(row, { ...result, errors: 1 }, idle, served)).toThrow(/not what they should be/)
    expect(() => check(row, { ...result, frames: 0 }, idle, idle)).toThrow(/nothing was done/)
  })

  it('compares an unframed server by the bytes on the wire', () => {
    const unframed = { ...idle, frames: null }
    expect(() => check(row, result, unframed, { ...unframed, bytes: 680 })).not.toThrow()
    expect(() => check(row, result, unframed, { ...unframed, bytes: 679 })).toThrow(/bytes: server 679/)
  })

  it('lasts by CPU time until it had its seconds, each run twice as long as the one before', async () => {
    // Where only a ninth of the time is given to it: 0.01 s of 0.09.
    const generator = `const seconds = Number(process.argv.at(process.argv.indexOf('--seconds') + 1))
      console.log(JSON.stringify({ frames: 10, bytes: 680, payloadBytes: 640, seconds, cpu: seconds * 1e6 / 9, errors: 0, p50: seconds }))`
    const server = { report: async () => ({ cpuUser: 0, cpuSystem: 0 }) }
    const runs = async (clock: string) => {
      const place = { generator: [process.execPath, '-e', generator, '--'] }
      return (await drive(server, 'net', row, 'nowhere', { place, clock }, 0.09)).result
    }
    const wall = await runs('wall')
    expect([wall.frames, wall.seconds]).toEqual([10, 0.09])
    const cpu = await runs('cpu')
    expect([cpu.frames, cpu.payloadBytes, cpu.p50]).toEqual([30, 1920, 0.36])
    expect(cpu.cpu).toBeCloseTo(70_000)
  })

  it('is summed up by median and half the range', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 2, 3])).toBe(2.5)
    expect(spread([90, 100, 110])).toBeCloseTo(0.1)
  })
})

describe('ratios and gates', () => {
  const results = {
    'receive-64': {
      native: { rate: 60, bytesPerSecond: 60 },
      net: { rate: 50, bytesPerSecond: 50 },
      c: { rate: 80, bytesPerSecond: 80 },
      'js-frame': { rate: 4 },
      'frame-stream': { rate: 2 },
      'framed-stream': { rate: 3 },
    },
    'echo-1': { native: { p50: 8 }, net: { p50: 10 } },
    idle: { native: { bytesPerConnection: 500 } },
  }
  const ratios = ratiosOf(results)
  const find = (id: string) => ratios.find((one: { id: string }) => one.id === id)

  it('come with a verdict, and the best of several peers is what is compared with', () => {
    expect(find('receive-64-over-net')).toMatchObject({ value: 1.2, verdict: 'aim' })
    expect(find('receive-64-over-c')).toMatchObject({ value: 0.75, verdict: 'floor' })
    expect(find('js-64-over-npm').value).toBeCloseTo(4 / 3)
  })

  it('are medians of what each round gave, where both sides have their rounds', () => {
    const drifting = {
      'receive-64': {
        native: { bytesPerSecond: 60, each: { bytesPerSecond: [120, 60, 30] } },
        net: { bytesPerSecond: 50, each: { bytesPerSecond: [60, 30, 50] } },
      },
    }
    expect(ratiosOf(drifting)[0]).toMatchObject({ id: 'receive-64-over-net', value: 2 })
  })

  it('of every row beside node:net leave out what has no figure', () => {
    const rows = [
      {
        row: { id: 'a' },
        results: { net: { bytesPerSecond: 2 }, native: { bytesPerSecond: 3 }, js: { error: 'x' } },
      },
      { row: { id: 'b' }, results: { net: { error: 'x' }, native: { bytesPerSecond: 3 } } },
    ]
    expect(besideNet(rows)).toEqual([{ row: { id: 'a' }, ratios: { native: 1.5 } }])
  })

  it('turn round where less is better', () => {
    expect(find('ping-pong-over-net')).toMatchObject({ value: 0.8, verdict: 'floor' })
    expect(find('idle-bytes')).toMatchObject({ value: 500, verdict: 'floor' })
  })

  it('leave out what was not measured', () => {
    expect(find('send-over-net')).toBeUndefined()
  })

  it('name the row that fell short of a gate', () => {
    const all = () => true
    expect(gateFailures({ 'receive-64-over-net': { min: 1 } }, ratios, all)).toEqual([])
    const [failure] = gateFailures({ 'receive-64-over-net': { min: 99 } }, ratios, all)
    expect(failure).toMatch(/receive-64-over-net: 1.2 is under 99/)
    expect(gateFailures({ 'idle-bytes': { max: 400 } }, ratios, all)).toHaveLength(1)
    expect(gateFailures({ 'send-over-net': { min: 1 } }, ratios, all)[0]).toMatch(/no figure/)
    expect(gateFailures({ 'send-over-net': { min: 1 } }, ratios, () => false)).toEqual([])
  })

  it('go to github-action-benchmark as entries of which more is better', () => {
    const rows = [
      {
        row: { title: 'receive 64 B' },
        results: { native: { rate: 1000, spread: 0.02 }, c: { error: 'x' } },
      },
    ]
    const entries = githubActionBenchmark({ ratios, rows, memory: [] })
    expect(entries).toContainEqual({
      name: 'receive 64 B / native',
      unit: 'frames/s',
      value: 1000,
      range: '±2.0%',
    })
    expect(entries.some((one: { name: string }) => one.name.includes('lower is better'))).toBe(false)
  })
})

describe('the command line of the suite', () => {
  it('refuses what it does not know', () => {
    expect(() => readOptions(['--parties', 'nobody'])).toThrow(UsageError)
    expect(() => readOptions(['--rounds', '0'])).toThrow(UsageError)
    expect(() => readOptions(['--place', 'elsewhere'])).toThrow(UsageError)
    expect(() => readOptions(['--no-such-thing'])).toThrow(UsageError)
  })

  it('measures the row that is named, with the parties that are named', () => {
    const plan = planOf(readOptions(['--filter', 'echo-1', '--parties', 'native,net']), { native: true })
    expect(plan.rows.map((one: { row: { id: string } }) => one.row.id)).toEqual(['echo-1'])
    expect(plan.rows[0].parties).toEqual(['net', 'native'])
    expect(plan.memory).toBe(false)
  })

  it('shows the js backend where the native one is not there', () => {
    const plan = planOf(readOptions(['--quick', '--filter', 'exchange-16']), { native: false })
    expect(plan.rows[0].parties).toContain('js')
    expect(plan.rows[0].parties).not.toContain('native')
  })
})

describe('a checkout where nothing is built', () => {
  const bench = fileURLToPath(new URL('../../bench/', import.meta.url))

  /** start.mjs in a copy of what git has, with a PATH on which no npm and no make can be found. */
  const start = (...args: string[]) => {
    const folder = mkdtempSync(join(tmpdir(), 'fw-bench-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    mkdirSync(join(folder, 'bench'))
    for (const name of ['start.mjs', 'run.mjs', 'compare.mjs', 'lib']) {
      cpSync(join(bench, name), join(folder, 'bench', name), { recursive: true })
    }
    const { status, stdout, stderr } = spawnSync(process.execPath, ['bench/start.mjs', ...args], {
      cwd: folder,
      env: { PATH: folder },
      encoding: 'utf8',
    })
    expect(existsSync(join(folder, 'bench/node_modules'))).toBe(false)
    return { status, stdout, stderr }
  }

  it('says how it is used, and what it measures, without building anything', () => {
    expect(start('run', '--help')).toMatchObject({ status: 0, stderr: '' })
    expect(start('run', '--help').stdout).toContain('--quick')
    expect(start('run', '--list')).toMatchObject({ status: 0, stderr: '' })
    expect(start('run', '--list').stdout).toMatch(/^receive-64 .*\n +net, .*\bnative\b/m)
    expect(start('compare', '--help')).toMatchObject({ status: 0, stderr: '' })
  })

  it.each([
    ['run', ['--qiuck'], /--qiuck/],
    ['run', ['--rounds', 'many'], /--rounds wants a number/],
    ['run', ['--parties', 'nobody'], /--parties is one of/],
    ['compare', ['HEAD~1', '--round', '3'], /--round/],
    ['compare', [], /BASE is wanted/],
  ])('refuses %s %j before it builds anything', (task, args, said) => {
    const { status, stdout, stderr } = start(task, ...args)
    expect([status, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(said)
    expect(stderr).toContain('npm run bench')
  })
})

describe('the chart of the README', () => {
  /** Every party of a row with a figure, the last one listed the fastest. */
  const measured = (id: string) => {
    const row = ROWS.find((one: { id: string }) => one.id === id)
    const results = row.parties.map((name: string, i: number) => [name, { rate: 1000 * (i + 1), spread: 0 }])
    return { row, results: Object.fromEntries(results) }
  }
  const rows = ['receive-64', 'send-64', 'echo-64', 'exchange-16'].map(measured)
  const method = { command: 'npm run bench', place: 'on one core' }
  const charts = chartsOf({ machine: { cpu: 'a CPU', node: 'v20' }, method, ratios: [], rows })

  it('leaves out no npm package that frames', () => {
    for (const name of ['frame-stream', 'framed-stream', 'length-prefixed-stream']) {
      expect(charts.overview).toContain(`>${name}</text>`)
    }
  })

  it('calls node:net what it is in each row', () => {
    const labels = (id: string) =>
      [...charts[`row-${id}`].matchAll(/>(node:net[^<]*)<\/text>/g)].map((m) => m[1])
    expect(labels('receive-64')).toContain('node:net, unframed')
    expect(labels('send-64').sort()).toEqual(['node:net, a write each', 'node:net, corked writes'])
    expect(labels('exchange-16')).toEqual(['node:net with setTimeout'])
  })
})

describe('the rows', () => {
  it('are there over TCP for one connection and many, and each has a baseline to compare with', () => {
    const tcp = ROWS.filter((one: { tcp: boolean }) => one.tcp)
    expect(tcp.map((one: { id: string }) => one.id)).toEqual(
      expect.arrayContaining([
        'tcp-exchange-1',
        'tcp-exchange-256',
        'tcp-conns-16',
        'tcp-conns-256',
        'tcp-echo-mixed',
        'tcp-receive-1m',
      ]),
    )
    for (const { id, parties } of tcp)
      expect(parties, id).toEqual(expect.arrayContaining(['net', 'native', 'js']))
  })
})
