// Apollo Client: queries over HTTP; subscriptions over a WebSocket, or over HTTP with `multipart` as the last argument.

import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { OperationTypeNode } from 'graphql';
import { address, follow, headers, mode, report, socket, UPDATES, ZONES } from './common.mjs';

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
report({ zones: (await client.query({ query: gql(ZONES) })).data.zones });
