// Sends queries and mutations by POST, and each subscription over a socket of its own.

import { createGraphiQLFetcher, type Fetcher } from '@graphiql/toolkit';

// Gives the bearer token for each request, so that a change of viewer needs no new fetcher.
type TokenSource = () => string | undefined;

export function createFetcher(token: TokenSource): Fetcher {
  const endpoint = new URL('/graphql', location.href);
  const socket = new URL(endpoint);
  socket.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';

  // Given a URL and not a client, the toolkit connects when a subscription runs and passes the headers of that run to
  // connection_init. The server has no incremental delivery, so no multipart response is requested.
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

// A header typed under Headers takes precedence over the picker. Its case does not matter: a browser would join two
// spellings of one header into a single wrong value.
function withToken(typed: Record<string, unknown> | undefined, token: string | undefined): Record<string, unknown> {
  const typedOne = Object.keys(typed ?? {}).some((name) => name.toLowerCase() === 'authorization');
  return token && !typedOne ? { ...typed, Authorization: `Bearer ${token}` } : { ...typed };
}
