/** `framewire doctor`: shows what was found. */
import { command } from '../command.js'
import { EXIT } from '../exit.js'
import { JSON_FLAG } from '../flags.js'
import type { Terminal } from '../terminal.js'
import { type Diagnosis, examine } from './examine.js'

const ARGS = {
  native: { type: 'boolean', description: 'Exit with 1 unless the backend is native' },
  ...JSON_FLAG,
} as const

export default command({
  name: 'doctor',
  description: 'Which backend is used and why, versions, and limits of this system',
  args: ARGS,
  examples: [
    ['framewire doctor', 'Why is it on the JS backend?'],
    ['framewire doctor --native', 'In a deployment: fail unless the native backend is on'],
    ['framewire doctor --json | jq -r .backend.reason', 'For programs'],
  ],
  async run(args, terminal) {
    const diagnosis = examine()
    if (args.json === true) terminal.json(diagnosis)
    else show(diagnosis, terminal)
    return args.native === true && diagnosis.backend.backend !== 'native' ? EXIT.FAILED : EXIT.OK
  },
})

function show({ backend, remedies, versions, limits, advice }: Diagnosis, terminal: Terminal): void {
  const row = (name: string, value: string) => terminal.line(`  ${name.padEnd(16)}${value}`)
  const title = (text: string) => terminal.line(terminal.style('bold', text))
  const isNative = backend.backend === 'native'
  title('Backend')
  row('in use', terminal.style(isNative ? 'green' : 'yellow', backend.backend ?? 'none'))
  row('because', backend.reason.split('\n')[0])
  if (backend.binding !== null) row('addon', backend.binding)
  for (const remedy of remedies) row('to be native', remedy)
  terminal.line('')
  title('Versions')
  row('framewire', versions.framewire)
  row('runtime', versions.runtime)
  row('Node-API', versions.nodeApi ?? 'none')
  row('libuv', versions.libuv ?? 'none')
  row('platform', [versions.platform, versions.libc].filter((part) => part !== null).join(', '))
  terminal.line('')
  title('Limits of this system')
  const { descriptors, somaxconn, synBacklog, socketBuffers, localPorts, pathBytes, memoryLimit } = limits
  row('descriptors', `${known(descriptors.soft)}, can be raised to ${known(descriptors.hard)}`)
  row('somaxconn', known(somaxconn))
  row('SYN backlog', known(synBacklog))
  row('send buffer', `${known(socketBuffers.sendDefault)} bytes, at most ${known(socketBuffers.sendMax)}`)
  row(
    'receive buffer',
    `${known(socketBuffers.receiveDefault)} bytes, at most ${known(socketBuffers.receiveMax)}`,
  )
  row('local ports', known(localPorts))
  row('socket path', `${pathBytes} bytes`)
  row('memory', memoryLimit === null ? 'not limited' : `${memoryLimit} bytes`)
  if (advice.length === 0) return
  terminal.line('')
  title('Advice')
  for (const line of advice) terminal.line(`  ${terminal.style('yellow', '!')} ${line}`)
}

function known(value: number | null): string {
  return value === null ? 'unknown' : String(value)
}
