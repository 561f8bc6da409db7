// The items that other desks have open, and by whom. The others know what this desk has open by its subscription.

import { PresenceDocument } from '#graph';
import * as m from '#messages';

import type { LiveClient } from '../../shared/live/client.svelte';
import { newId } from '../../shared/new-id';

export class Presence {
  #names = $state.raw(new Map<string, string[]>());
  #desk = newId();
  #live: LiveClient;
  #stop: () => void = () => {};

  constructor(live: LiveClient) {
    this.#live = live;
  }

  /** The names of others who have one of these items open. Nobody knows while the server is silent. */
  with(items: string[]): string[] {
    return this.#live.silent ? [] : [...new Set(items.flatMap((item) => this.#names.get(item) ?? []))];
  }

  /** Show the other desks that this one has an item open, or none. */
  open(item: string | null): void {
    const before = this.#stop;
    this.#stop = this.#live.follow(PresenceDocument, { desk: this.#desk, item }, {
      next: ({ presence }) => this.#take(presence.filter(({ desk }) => desk !== this.#desk)),
      // An item that is not there cannot be open; the others' can be seen all the same.
      refused: () => { if (item !== null) this.open(null); },
    });
    // Only now, so that the others see no moment in which nothing is open.
    before();
  }

  #take(others: { name: string | null; item: { id: string } | null }[]): void {
    const names = new Map<string, string[]>();
    for (const { name, item } of others) if (item) names.set(item.id, [...(names.get(item.id) ?? []), name ?? m.conflict_somebody()]);
    this.#names = names;
  }
}
