// graphql-ws comes back by itself, and sends the variables as they are then.

import { again, say, socket, start, UPDATES, ZONES } from './telling.mjs';

const client = socket({ retryAttempts: Infinity, retryWait: again, shouldRetry: () => true });
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
