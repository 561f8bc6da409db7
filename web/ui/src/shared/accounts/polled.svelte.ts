// A list that is read again with every answer of the server's watch, and keeps its last value when a reading fails.

import type { Role } from '../auth';
import { errorText } from '../errors';
import type { ServerWatch } from '../server-watch.svelte';

export class Polled<T> {
  value = $state.raw<T | null>(null);
  failure = $state<string | undefined>();
  readonly #read: () => Promise<T>;

  /** Called while a component starts. With a role, only a viewer of that role reads it. */
  constructor(watch: () => ServerWatch, read: () => Promise<T>, role?: Role) {
    this.#read = read;
    $effect(() => {
      const viewer = watch().session?.viewer;
      if (viewer && (role === undefined || viewer.role === role) && watch().answeredAt) void this.ask();
    });
  }

  async ask(): Promise<void> {
    try {
      this.value = await this.#read();
      this.failure = undefined;
    } catch (error) {
      this.failure = errorText(error);
    }
  }

  /** Do something that changes the list, and read it again. */
  async after(act: () => Promise<unknown>): Promise<void> {
    try {
      await act();
      await this.ask();
    } catch (error) {
      this.failure = errorText(error);
    }
  }
}
