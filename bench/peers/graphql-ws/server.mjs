// Node's graphql-ws over ws: one subscription, events handed over in process. `node server.mjs PORT`
import { createServer } from 'node:http'
import { buildSchema } from 'graphql'
import { useServer } from 'graphql-ws/use/ws'
import { WebSocketServer } from 'ws'

const schema = buildSchema(`
  type Update { kind: String! at: String! from: String to: String text: String! }
  type Query { ok: Boolean }
  type Subscription { updates: Update! }
`)

const waiting = new Set()

async function* updates() {
  const queue = []
  let wake = null
  const member = (event) => {
    queue.push(event)
    wake?.()
  }
  waiting.add(member)
  try {
    for (;;) {
      while (queue.length) yield { updates: queue.shift() }
      await new Promise((resolve) => (wake = resolve))
      wake = null
    }
  } finally {
    waiting.delete(member)
  }
}

const server = createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost')
  if (url.searchParams.has('event')) {
    const event = JSON.parse(url.searchParams.get('event'))
    for (const member of waiting) member(event)
  }
  response.end(String(waiting.size))
})
const sockets = new WebSocketServer({ server, path: '/graphql', perMessageDeflate: false })
// Without pings, which would be counted among what is delivered.
useServer({ schema, roots: { subscription: { updates } } }, sockets, 0)
server.listen(Number(process.argv[2]), '127.0.0.1')
