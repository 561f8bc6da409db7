// The data that a view shows of the server: read at once, and again after each change, however many there are.

import { GraphError } from './request';

const RETRY = 5_000;

export class Reader<T> {
  /** Null before the first answer. */
  value = $state.raw<T | null>(null);
  /** When the last answer came, by this machine's clock; 0 before the first. */
  readAt = $state(0);
  /** Why the last question was not answered; null if it was. */
  failed = $state.raw<GraphError | null>(null);
  readonly startedAt = Date.now();

  #read: () => Promise<T>;
  #rest: number;
  #busy = false;
  #again = false;
  #closed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `rest`: milliseconds between an answer and the next question. A question that failed is asked again. */
  constructor(read: () => Promise<T>, rest: number) {
    this.#read = read;
    this.#rest = rest;
    void this.read();
  }

  /** Read now, or after the reading and the rest that go on; once for all who ask until then. */
  async read(): Promise<void> {
    if (this.#closed) return;
    if (this.#busy) return void (this.#again = true);
    this.#busy = true;
    this.#again = false;
    let rest = this.#rest;
    try {
      const value = await this.#read();
      if (this.#closed) return;
      this.value = value;
      this.readAt = Date.now();
      this.failed = null;
    } catch (error) {
      if (!(error instanceof GraphError)) throw error;
      this.failed = error;
      this.#again = true;
      rest = RETRY;
    }
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#busy = false;
      if (this.#again) void this.read();
    }, rest);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}
