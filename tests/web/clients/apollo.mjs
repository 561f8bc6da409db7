// Apollo Client: queries over HTTP, subscriptions over a WebSocket, or with `multipart` as its last argument over HTTP.

import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { OperationTypeNode } from 'graphql';
import { address, follow, headers, mode, say, socket, UPDATES, ZONES } from './telling.mjs';

const http = new HttpLink({ uri: `${address}/graphql`, headers });
const isSubscription = ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION;
const link =
  mode === 'multipart' ? http : ApolloLink.split(isSubscription, new GraphQLWsLink(socket({ retryAttempts: 0 })), http);
const client = new ApolloClient({ link, cache: new InMemoryCache() });

follow((after, next, lost) => {
  client.subscribe({ query: gql(UPDATES), variables: { after } }).subscribe({
    next: ({ data, error }) => (error ? lost() : next(data.updates)),
    error: lost,
    complete: lost,
  });
});
say({ zones: (await client.query({ query: gql(ZONES) })).data.zones });
