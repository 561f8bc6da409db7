// What every client here does: it is given an address, a token and a cursor, follows the log from there whatever becomes
// of its connection, and prints one line of JSON for each event, and one for an ordinary query.

import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

// Browsers have it, as Node has from 22 on; Apollo's link looks for it.
globalThis.WebSocket = WebSocket;

export const [address, token, start, mode] = process.argv.slice(2);
export const headers = { authorization: `Bearer ${token}` };
export const UPDATES = 'subscription Updates($after: String) { updates(after: $after) { __typename id cursor kind } }';
export const ZONES = 'query Zones { zones { __typename id name } }';

export const say = (said) => console.log(JSON.stringify(said));
export const again = () => new Promise((resolve) => setTimeout(resolve, 100));

export function socket(options) {
  const url = `${address.replace('http', 'ws')}/graphql`;
  return createClient({ url, connectionParams: headers, ...options });
}

// For clients that do not come back by themselves: `subscribe` begins after a cursor and calls `next` with each event
// and `lost` at the end, once or more often.
export function follow(subscribe) {
  let after = start;
  const begin = () => {
    let ended = false;
    const next = (event) => {
      after = event.cursor;
      say({ event: event.cursor });
    };
    const lost = async () => {
      if (ended) return;
      ended = true;
      await again();
      begin();
    };
    subscribe(after, next, lost);
  };
  begin();
}
