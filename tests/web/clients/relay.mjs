// Relay's network layer: queries over HTTP, subscriptions over a WebSocket. The requests are written by hand, as Relay's
// compiler would write them.

import relay from 'relay-runtime';
import { address, follow, headers, report, socket, UPDATES, ZONES } from './common.mjs';

const { Environment, fetchQuery, Network, Observable, RecordSource, requestSubscription, Store } = relay;

function request(name, operationKind, text, root, fields) {
  const argument = { defaultValue: null, kind: 'LocalArgument', name: 'after' };
  const after = { kind: 'Variable', name: 'after', variableName: 'after' };
  const scalar = (field) => ({ alias: null, args: null, kind: 'ScalarField', name: field, storageKey: null });
  const subscription = operationKind === 'subscription';
  const selections = [
    {
      alias: null,
      args: subscription ? [after] : null,
      concreteType: subscription ? null : 'Zone',
      kind: 'LinkedField',
      name: root,
      plural: !subscription,
      selections: ['__typename', ...fields].map(scalar),
      storageKey: null,
    },
  ];
  const argumentDefinitions = subscription ? [argument] : [];
  return {
    kind: 'Request',
    fragment: {
      argumentDefinitions,
      kind: 'Fragment',
      metadata: null,
      name,
      selections,
      type: subscription ? 'Subscription' : 'Query',
      abstractKey: null,
    },
    operation: { argumentDefinitions, kind: 'Operation', name, selections },
    params: { id: null, cacheID: name, metadata: {}, name, operationKind, text },
  };
}

const sockets = socket({ retryAttempts: 0 });
const post = async (params, variables) => {
  const body = JSON.stringify({ query: params.text, operationName: params.name, variables });
  const sent = { ...headers, 'content-type': 'application/json', accept: 'application/graphql-response+json' };
  return (await fetch(`${address}/graphql`, { method: 'POST', headers: sent, body })).json();
};
const listen = (params, variables) =>
  Observable.create((sink) =>
    sockets.subscribe({ query: params.text, operationName: params.name, variables }, sink),
  );
const environment = new Environment({ network: Network.create(post, listen), store: new Store(new RecordSource()) });

const subscription = request('Updates', 'subscription', UPDATES, 'updates', ['id', 'cursor', 'kind']);
follow((after, next, lost) => {
  requestSubscription(environment, {
    subscription,
    variables: { after },
    onNext: ({ updates }) => next(updates),
    onError: lost,
    onCompleted: lost,
  });
});
const query = request('Zones', 'query', ZONES, 'zones', ['id', 'name']);
report({ zones: (await fetchQuery(environment, query, {}).toPromise()).zones });
