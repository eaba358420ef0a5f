// The package by require, with its codec entry: both are the CommonJS build.
const { backendInfo, createServer, request } = require('framewire')
const { encodeFrame } = require('framewire/codec')

async function main() {
  if (encodeFrame(Buffer.from('ab')).toString('hex') !== '000000026162') throw new Error('wrong frame')
  const server = createServer({ onRequest: (payload) => payload })
  const { port, host } = await server.listen({ port: 0, host: '127.0.0.1' })
  const reply = await request({ port, host }, 'ab')
  await server.close()
  if (reply.toString() !== 'ab') throw new Error(`wrong reply: ${reply}`)
  console.log(JSON.stringify(backendInfo()))
}

main()
