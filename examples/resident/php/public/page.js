// The page: shows tasks and messages as they come, and sends the two forms.
import { Stream } from './stream.js'

const element = (id) => document.getElementById(id)

async function post(path, body) {
  const response = await fetch(path, { method: 'POST', body })
  const answer = await response.json()
  if (!response.ok) throw new Error(answer.error)
  return answer
}

function showTask(task) {
  const id = `task-${task.id}`
  let item = element(id)
  // News that was overtaken on the way.
  if (item?.dataset.ended) return
  if (!item) {
    item = document.createElement('li')
    item.id = id
    item.append(document.createElement('span'), document.createElement('progress'))
    element('tasks').prepend(item)
  }
  const [label, bar] = item.children
  item.dataset.state = task.state
  if (task.finishedAt) item.dataset.ended = 'yes'
  label.textContent = describe(task)
  bar.value = task.progress
  bar.hidden = Boolean(task.finishedAt)
}

function describe({ name, state, progress, result, error }) {
  if (state === 'done')
    return `${name}: ${result.count.toLocaleString('en')} up to ${result.upTo.toLocaleString('en')}`
  if (error && state !== 'running') return `${name}: ${state}, ${error.msg}`
  return `${name}: ${state === 'running' ? `${Math.round(progress * 100)} %` : state}`
}

function showMessage({ from, text }) {
  const item = document.createElement('li')
  const name = document.createElement('span')
  name.className = 'from'
  name.textContent = `${from}: `
  item.append(name, text)
  element('messages').prepend(item)
}

async function refreshTasks() {
  const response = await fetch('/task.php')
  if (!response.ok) return
  const { tasks } = await response.json()
  for (const task of tasks.reverse()) showTask(task)
}

const stream = new Stream(async () => (await post('/token.php')).token, sessionStorage)
stream.addEventListener('state', ({ detail }) => {
  element('connection').textContent = detail
  element('connection').dataset.state = detail
})
stream.addEventListener('welcome', ({ detail }) => {
  if (!detail.resumed) showMessage({ from: 'system', text: 'some messages may have been missed' })
  refreshTasks()
})
stream.addEventListener('event', ({ detail: { type, data } }) => {
  if (type === 'task') showTask(data)
  else if (type === 'message') showMessage(data)
})
stream.connect()

function onSubmit(form, path, done) {
  element(form).addEventListener('submit', async (event) => {
    event.preventDefault()
    element(`${form}-failure`).textContent = ''
    try {
      done(await post(path, new FormData(event.target)), event.target)
    } catch (error) {
      element(`${form}-failure`).textContent = error.message
    }
  })
}

onSubmit('task', '/task.php', ({ id, state }) => showTask({ id, name: 'primes', state, progress: 0 }))
onSubmit('say', '/say.php', (receipt, form) => {
  const reached = receipt.sent + receipt.queued
  showMessage({
    from: 'you',
    text: `${form.elements.text.value} (${reached} reached, ${receipt.offline} away)`,
  })
  form.elements.text.value = ''
})
