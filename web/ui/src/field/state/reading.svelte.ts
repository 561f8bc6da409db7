// A part of what the server knows: the last copy at once, and a new one whenever the server can be asked.

import { GraphError } from '../../shared/graph/request';
import { keepCopy, readCopy } from '../store/copies';

export class Reading<T> {
  /** Null if it was never read on this phone. */
  value = $state.raw<T | null>(null);
  /** This phone's time of the last question that was answered, so of what the answer shows at least; 0 if none was. */
  readAt = $state(0);
  /** The server's code, if it refused the last question; null if it answered or was silent. */
  refused = $state<string | null>(null);

  #asking: Promise<void> | null = null;
  #again = false;
  #closed = false;
  #account: number;
  #name: string;
  #read: () => Promise<T>;

  constructor(account: number, name: string, read: () => Promise<T>) {
    this.#account = account;
    this.#name = name;
    this.#read = read;
  }

  /** Show the copy, then ask. */
  async start(): Promise<void> {
    const copy = await readCopy<T>(this.#account, this.#name);
    if (copy && this.readAt < copy.readAt) {
      this.value = copy.value;
      this.readAt = copy.readAt;
    }
    await this.ask();
  }

  /** Take no answer any more: it may be for somebody else. */
  close(): void {
    this.#closed = true;
  }

  /** Ask the server. Who asks while a question is under way gets an answer to a question that was asked later. */
  ask(): Promise<void> {
    if (this.#asking) this.#again = true;
    this.#asking ??= this.#askUntilNew().finally(() => (this.#asking = null));
    return this.#asking;
  }

  async #askUntilNew(): Promise<void> {
    do {
      this.#again = false;
      await this.#askOnce();
    } while (this.#again);
  }

  async #askOnce(): Promise<void> {
    const asked = Date.now();
    try {
      const value = await this.#read();
      if (this.#closed) return;
      this.value = value;
      this.readAt = asked;
      this.refused = null;
    } catch (error) {
      if (!(error instanceof GraphError)) throw error;
      this.refused = error.code === 'SILENT' ? null : error.code;
      return;
    }
    // Without room the copy of before stays; the page shows the new one all the same.
    await keepCopy(this.#account, this.#name, this.value, this.readAt).catch(() => {});
  }
}
