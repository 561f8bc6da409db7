// The queue: read once, and again after each event that can change it.

import { QueueDocument, type QueueQuery } from '#graph';

import { clock } from '../../shared/clock.svelte';
import { Reader } from '../../shared/graph/reader.svelte';
import { request } from '../../shared/graph/request';
import type { Desk } from '../state/desk.svelte';
import { readScreens, type WaitingScreen } from './screens';
import { stacksOf, type Stack } from './stacks';

/** Milliseconds between the ends of two readings, however many events there are. */
const REST = 400;
const SCREENS = 10_000;
const WORK = /^(ASSISTANCE|DUTY_REPORT|INSPECTION|HAZARD|CASE|DISPATCH|WARNING|REGISTER)_/;

export class Queue {
  readonly reader = new Reader<QueueQuery>(() => request(QueueDocument, {}, null), REST);
  screens = $state.raw<WaitingScreen[]>([]);
  readonly stacks: Stack[] = $derived(this.reader.value === null ? [] : stacksOf(this.reader.value, this.screens, clock.now));
  readonly total: number = $derived(this.stacks.reduce((sum, { count }) => sum + count, 0));

  #closed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stop: () => void;

  constructor(desk: Desk) {
    this.#stop = desk.onevents((events) => {
      if (events.length === 0 || events.some(({ kind }) => WORK.test(kind))) void this.reader.read();
    });
    void this.#readScreens();
  }

  close(): void {
    this.#closed = true;
    this.#stop();
    this.reader.close();
    clearTimeout(this.#timer);
  }

  async #readScreens(): Promise<void> {
    try {
      this.screens = await readScreens();
    } catch {
      // The top bar says that the server is silent; the next round asks again.
    }
    if (!this.#closed) this.#timer = setTimeout(() => void this.#readScreens(), SCREENS);
  }
}
