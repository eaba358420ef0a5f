// A client in a process of its own: asks the server at `path` for the process that started it, over a connection that
// is kept and over one of a single exchange, and says what came of it.
import { createClient, request } from 'framewire'

const { path, backend, options } = JSON.parse(process.argv[2])

const client = createClient({ backend, path, ...options })

const questions = {
  request: (text) => client.request(text),
  once: (text) => request({ backend, path }, text, { timeout: options.requestTimeout }),
}

process.on('message', async ({ id, question, value }) => {
  const said = await questions[question](value).then(String, (error) => error.code)
  process.send({ id, value: said })
})
process.on('disconnect', () => process.exit())
process.send({ id: 0 })
