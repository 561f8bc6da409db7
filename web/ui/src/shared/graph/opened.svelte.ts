// The data of a panel: read when it is opened, and again after each event about it.

import type { TypedDocumentString } from '#graph';

import { GraphError, request } from './request';

export class Opened<T, V = { id: string }> {
  value = $state.raw<T | null>(null);
  /** When it was last read, by this machine's clock. */
  readAt = $state(0);
  failed = $state.raw<GraphError | null>(null);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(
    readonly document: TypedDocumentString<T, V>,
    readonly variables: V,
    readonly token: () => string | null,
  ) {
    void this.#read();
  }

  /** Read again, once for all events of a second. */
  refresh(): void {
    this.#timer ??= setTimeout(() => void this.#read(), 1000);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #read(): Promise<void> {
    this.#timer = undefined;
    try {
      const value = await request(this.document, this.variables, this.token());
      if (this.#closed) return;
      this.value = value;
      this.readAt = Date.now();
      this.failed = null;
    } catch (error) {
      if (this.#closed) return;
      this.failed = error instanceof GraphError ? error : new GraphError('SILENT', String(error));
      this.#timer = setTimeout(() => void this.#read(), 5_000);
    }
  }
}
