// How operations travel: queries and mutations by POST, subscriptions over a socket of their own.

import { createGraphiQLFetcher, type Fetcher } from '@graphiql/toolkit';

// Where the bearer token is read at each request, so that a change of viewer needs no new fetcher.
type TokenSource = () => string | undefined;

export function createFetcher(token: TokenSource): Fetcher {
  const endpoint = new URL('/graphql', location.href);
  const socket = new URL(endpoint);
  socket.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';

  // With a URL and not a client, the toolkit connects when a subscription is run and hands the headers of that run to
  // connection_init. The server sends no increments, so no multipart answer is asked for.
  const send = createGraphiQLFetcher({
    url: endpoint.href,
    subscriptionUrl: socket.href,
    enableIncrementalDelivery: false,
  });

  return (params, options) => {
    const headers = withToken(options?.headers, token());
    return send(params, { ...options, headers });
  };
}

// What is typed under Headers goes before the picker: it is the more deliberate of the two. In whatever case it is typed,
// since a browser would join two spellings of one header into a single wrong value.
function withToken(typed: Record<string, unknown> | undefined, token: string | undefined): Record<string, unknown> {
  const typedOne = Object.keys(typed ?? {}).some((name) => name.toLowerCase() === 'authorization');
  return token && !typedOne ? { ...typed, Authorization: `Bearer ${token}` } : { ...typed };
}
