// The draft that is being typed, kept on this phone with every change.

import { keepDraft, readDraft, removeDraft } from '../store/copies';
import { isFull } from '../store/database';

export class Draft<T extends object> {
  value = $state() as T;
  /** This phone's time when it was last stored; 0 before. */
  savedAt = $state(0);
  ready = $state(false);
  /** The phone has no room for it. */
  full = $state(false);

  #account: number;
  #name: string;
  #writing: Promise<void> | null = null;
  #changed = false;

  constructor(account: number, name: string, empty: T) {
    this.#account = account;
    this.#name = name;
    this.value = empty;
  }

  async load(): Promise<void> {
    const draft = await readDraft<T>(this.#account, this.#name);
    if (draft) {
      this.value = draft.value;
      this.savedAt = draft.savedAt;
    }
    this.ready = true;
  }

  /** Store it. Changes that come while it is being written are written after it. */
  save(): Promise<void> {
    this.#changed = true;
    this.#writing ??= this.#write().finally(() => (this.#writing = null));
    return this.#writing;
  }

  async discard(): Promise<void> {
    await this.#writing;
    await removeDraft(this.#account, this.#name);
  }

  async #write(): Promise<void> {
    while (this.#changed) {
      this.#changed = false;
      try {
        await keepDraft(this.#account, this.#name, $state.snapshot(this.value), Date.now());
        this.savedAt = Date.now();
        this.full = false;
      } catch (error) {
        if (!isFull(error)) throw error;
        this.full = true;
      }
    }
  }
}
