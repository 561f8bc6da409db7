// Operations that are refused, as graphql-sse in both modes and graphql-ws tell them: prints for each client and operation
// a line of JSON with what the client received, `complete` or the error that it gave up with.

import { createClient } from 'graphql-sse';
import { address, report, socket } from './common.mjs';

const REFUSED = [
  { query: '{ nothing }' },
  { query: 'subscription { updates(after: "x") { cursor } }' },
  { query: 'subscription($after: String) { updates(after: $after) { cursor } }', variables: { after: 1 } },
];
const headers = { 'accept-language': 'zh' };
const clients = {
  distinct: createClient({ url: `${address}/graphql`, headers, retryAttempts: 0 }),
  single: createClient({ url: `${address}/graphql/stream`, singleConnection: true, headers, retryAttempts: 0 }),
  socket: socket({ connectionParams: { acceptLanguage: 'zh' }, retryAttempts: 0 }),
};

for (const [client, { subscribe }] of Object.entries(clients)) {
  for (const [number, operation] of REFUSED.entries()) {
    const received = [];
    await new Promise((ended) => {
      subscribe(operation, {
        next: ({ errors }) => received.push(errors),
        error: (errors) => ended(received.push(Array.isArray(errors) ? errors : String(errors))),
        complete: () => ended(received.push('complete')),
      });
    });
    report({ client, number, received });
  }
}
process.exit(0);
