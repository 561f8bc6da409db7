// urql: subscriptions as server-sent events, or over a WebSocket with `ws` as the last argument.

import { cacheExchange, Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { onEnd, pipe, subscribe } from 'wonka';
import { address, follow, headers, mode, report, socket, UPDATES, ZONES } from './common.mjs';

const sockets = mode === 'ws' && socket({ retryAttempts: 0 });
const overSockets = subscriptionExchange({
  forwardSubscription: (request) => ({
    subscribe: (sink) => ({ unsubscribe: sockets.subscribe({ ...request, query: request.query ?? '' }, sink) }),
  }),
});
const client = new Client({
  url: `${address}/graphql`,
  exchanges: sockets ? [cacheExchange, overSockets, fetchExchange] : [cacheExchange, fetchExchange],
  fetchSubscriptions: !sockets,
  fetchOptions: { headers },
});

follow((after, next, lost) => {
  pipe(
    client.subscription(UPDATES, { after }),
    onEnd(lost),
    // At the end of a stream urql repeats its last result with a false `hasNext`.
    subscribe(({ data, error, hasNext }) => (error || !hasNext ? lost() : next(data.updates))),
  );
});
const answer = await client.query(ZONES, {}).toPromise();
report({ zones: answer.data?.zones, error: answer.error && String(answer.error) });
