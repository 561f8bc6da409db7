// One WebSocket to the graph for all streams of a page. It reconnects for ever, and it knows how long the server has been
// silent: a frozen server closes no socket, so only the time of its last message tells.

import { createClient, type Client } from 'graphql-ws';

import type { TypedDocumentString } from '#graph';

import { clock } from '../clock.svelte';
import { GraphError } from '../graph/request';
import { isSilent } from '../silence';

/** The server answers a ping every two seconds. */
const PING = 2_000;
/** Silence after which the socket is given up. */
const GIVE_UP = 4_000;
/** Milliseconds after which an attempt to connect is given up: a frozen server or a cut network never answers it. */
const ATTEMPT = 10_000;
const LONGEST_WAIT = 10_000;
/** The token is no longer good: expired or revoked. */
const REJECTED = new Set([4401, 4403, 4411]);
/** Refusals that pass by themselves. */
const PASSING = new Set(['BUSY', 'TOO_MANY', 'UNAVAILABLE']);

export type Stream<T> = {
  next: (data: T) => void;
  /** The server refused the stream with this code, for example CURSOR_TOO_OLD. It is not asked for again. */
  refused: (error: GraphError) => void;
};

export class LiveClient {
  /** Whether a socket is open and acknowledged. */
  connected = $state(false);
  /** Attempts since the connection was lost. */
  attempts = $state(0);
  /** When the next attempt begins, by this machine's clock. */
  nextAttempt = $state(0);

  /** Called when a connection has come back after the first. */
  onreconnected: () => void = () => {};

  #heardAt = $state(Date.now());
  #connections = 0;
  #attemptedAt: number | null = null;
  #client: Client;
  #timer: ReturnType<typeof setInterval>;
  #wake: (() => void) | null = null;

  /** `token` gives the token of each connection, or null where a cookie or nothing identifies. */
  constructor(token: () => string | null, rejected: () => void) {
    const address = new URL('/graphql', location.href);
    address.protocol = address.protocol.replace('http', 'ws');
    this.#client = createClient({
      url: address.href,
      lazy: false,
      keepAlive: PING,
      retryAttempts: Infinity,
      shouldRetry: () => true,
      retryWait: (attempt) => this.#wait(attempt),
      connectionParams: () => {
        const value = token();
        return value === null ? {} : { authorization: `Bearer ${value}` };
      },
      on: {
        connecting: () => (this.#attemptedAt = Date.now()),
        connected: () => this.#open(),
        message: () => (this.#heardAt = Date.now()),
        closed: (event) => {
          this.connected = false;
          this.#attemptedAt = null;
          if (REJECTED.has((event as CloseEvent).code)) rejected();
        },
      },
    });
    this.#timer = setInterval(() => this.#check(), 1000);
    const wake = (): void => {
      if (document.visibilityState === 'visible') this.reconnectNow();
    };
    document.addEventListener('visibilitychange', wake);
    addEventListener('online', wake);
    addEventListener('pageshow', wake);
  }

  /** Milliseconds since the server was last heard. */
  get age(): number {
    return Math.max(0, clock.now - this.#heardAt);
  }

  get silent(): boolean {
    return isSilent(this.age);
  }

  /** When the server was last heard, by this machine's clock. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** Connect at once instead of waiting, after the network or the page has come back. */
  reconnectNow(): void {
    this.#wake?.();
    this.#check();
  }

  /**
   * Follow a subscription until the returned function is called. It goes on after each reconnection with the same
   * `variables`, so a stream that resumes sets `variables.after` at each event.
   */
  follow<T, V extends Record<string, unknown>>(document: TypedDocumentString<T, V>, variables: V, stream: Stream<T>): () => void {
    let stop = (): void => {};
    let ended = false;
    const again = (): void => {
      if (!ended) setTimeout(start, 1000 + Math.random() * 1000);
    };
    const start = (): void => {
      if (ended) return;
      stop = this.#client.subscribe<T, never>(
        { query: document.toString(), variables },
        {
          next: (result) => {
            const failure = result.errors?.[0];
            if (failure) stream.refused(new GraphError(String(failure.extensions?.code ?? ''), failure.message));
            else if (result.data) stream.next(result.data);
          },
          error: (error) => {
            const failure = Array.isArray(error) ? (error[0] as { message: string; extensions?: { code?: string } }) : null;
            const code = failure?.extensions?.code;
            if (failure && code && !PASSING.has(code)) stream.refused(new GraphError(code, failure.message));
            else again();
          },
          complete: again,
        },
      );
    };
    start();
    return () => {
      ended = true;
      stop();
    };
  }

  close(): void {
    clearInterval(this.#timer);
    void this.#client.dispose();
  }

  #open(): void {
    this.connected = true;
    this.#attemptedAt = null;
    this.attempts = 0;
    this.#heardAt = Date.now();
    if (++this.#connections > 1) this.onreconnected();
  }

  #check(): void {
    const now = Date.now();
    if (this.connected && now - this.#heardAt > GIVE_UP) this.#client.terminate();
    if (this.#attemptedAt !== null && now - this.#attemptedAt > ATTEMPT) this.#client.terminate();
  }

  /** Wait before an attempt: half a second, doubled each time up to ten seconds, with jitter; less when woken. */
  async #wait(attempt: number): Promise<void> {
    const milliseconds = Math.min(LONGEST_WAIT, 500 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2);
    this.attempts = attempt + 1;
    this.nextAttempt = Date.now() + milliseconds;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = null;
  }
}
