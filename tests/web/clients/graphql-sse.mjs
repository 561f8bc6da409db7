// graphql-sse reconnects by itself and sends the current values of the variables. `single` as the last argument chooses
// the single connection mode.

import { createClient } from 'graphql-sse';
import { address, pause, headers, mode, report, start, UPDATES, ZONES } from './common.mjs';

const singleConnection = mode === 'single';
const url = `${address}/graphql${singleConnection ? '/stream' : ''}`;
const client = createClient({ url, singleConnection, headers, retryAttempts: Infinity, retry: pause });
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
