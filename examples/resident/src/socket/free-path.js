// Removes the socket file that a killed process left behind, and nothing else.
import { unlink } from 'node:fs/promises'
import { connect } from 'node:net'

/** @param {string | number} path a port is left alone */
export async function freePath(path) {
  if (typeof path !== 'string') return
  const code = await new Promise((resolve) => {
    const probe = connect(path, () => resolve('alive'))
    probe.on('error', (error) => resolve(error.code))
    probe.on('close', () => probe.destroy())
    probe.on('connect', () => probe.destroy())
  })
  if (code === 'ECONNREFUSED') await unlink(path)
}
