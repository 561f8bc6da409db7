// graphql-sse comes back by itself, and sends the variables as they are then. Its last argument is `single` for the mode
// with one connection.

import { createClient } from 'graphql-sse';
import { address, again, headers, mode, say, start, UPDATES, ZONES } from './telling.mjs';

const singleConnection = mode === 'single';
const url = `${address}/graphql${singleConnection ? '/stream' : ''}`;
const client = createClient({ url, singleConnection, headers, retryAttempts: Infinity, retry: again });
const variables = { after: start };
const ended = (how) => say({ ended: String(how) });

client.subscribe(
  { query: UPDATES, variables },
  {
    next({ data }) {
      variables.after = data.updates.cursor;
      say({ event: variables.after });
    },
    error: ended,
    complete: () => ended('complete'),
  },
);
client.subscribe({ query: ZONES }, { next: ({ data }) => say({ zones: data.zones }), error: ended, complete() {} });
