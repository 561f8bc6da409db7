// graphql-ws reconnects by itself and sends the current values of the variables.

import { pause, report, socket, start, UPDATES, ZONES } from './common.mjs';

const client = socket({ retryAttempts: Infinity, retryWait: pause, shouldRetry: () => true });
const variables = { after: start };
const ended = (how) => report({ ended: String(how) });

client.subscribe(
  { query: UPDATES, variables },
  {
    next({ data }) {
      variables.after = data.updates.cursor;
      report({ event: variables.after });
    },
    error: ended,
    complete: () => ended('complete'),
  },
);
client.subscribe({ query: ZONES }, { next: ({ data }) => report({ zones: data.zones }), error: ended, complete() {} });
