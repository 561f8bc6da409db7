// Apollo and urql with automatic persisted queries: prints the names of the zones for each, and how many requests it took
// for two questions. Arguments: the server's address and a bearer token.

import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { Client, fetchExchange } from '@urql/core';
import { persistedExchange } from '@urql/exchange-persisted';
import { createHash } from 'node:crypto';
import { address, headers, report } from './common.mjs';

const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const NAMES = 'query Names { zones { name } }';
const CODES = 'query Codes { zones { code } }';

let requests = 0;
const counted = (...sent) => {
  requests += 1;
  return fetch(...sent);
};

async function both(client, query) {
  requests = 0;
  const [names, codes] = [await query(NAMES), await query(CODES)];
  report({ client, names: names.zones.map(({ name }) => name), codes: codes.zones.map(({ code }) => code), requests });
}

for (const useGETForHashedQueries of [false, true]) {
  const http = new HttpLink({ uri: `${address}/graphql`, headers, fetch: counted });
  const link = new PersistedQueryLink({ sha256, useGETForHashedQueries }).concat(http);
  const apollo = new ApolloClient({ link, cache: new InMemoryCache() });
  await both('Apollo', async (query) => (await apollo.query({ query: gql(query) })).data);
}

for (const preferGetForPersistedQueries of [false, true]) {
  const exchanges = [persistedExchange({ preferGetForPersistedQueries }), fetchExchange];
  const urql = new Client({ url: `${address}/graphql`, exchanges, fetchOptions: { headers }, fetch: counted });
  await both('urql', async (query) => {
    const { data, error } = await urql.query(query, {}).toPromise();
    if (error) throw error;
    return data;
  });
}
