// Shared by all clients. Each gets an address, a token and a cursor as arguments, follows the log from there over every
// loss of its connection, and prints a line of JSON for each event and one for a query.

import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

// Browsers and Node 22 have a global WebSocket, which Apollo's link needs.
globalThis.WebSocket = WebSocket;

export const [address, token, start, mode] = process.argv.slice(2);
export const headers = { authorization: `Bearer ${token}` };
export const UPDATES = 'subscription Updates($after: String) { updates(after: $after) { __typename id cursor kind } }';
export const ZONES = 'query Zones { zones { __typename id name } }';

export const report = (line) => console.log(JSON.stringify(line));
export const pause = () => new Promise((resolve) => setTimeout(resolve, 100));

export function socket(options) {
  const url = `${address.replace('http', 'ws')}/graphql`;
  return createClient({ url, connectionParams: headers, ...options });
}

// For clients that do not reconnect by themselves. `subscribe` starts after a cursor, calls `next` with each event, and
// calls `lost` at the end, once or more often.
export function follow(subscribe) {
  let after = start;
  const begin = () => {
    let ended = false;
    const next = (event) => {
      after = event.cursor;
      report({ event: event.cursor });
    };
    const lost = async () => {
      if (ended) return;
      ended = true;
      await pause();
      begin();
    };
    subscribe(after, next, lost);
  };
  begin();
}
