// The queue: read once, and again after each event that can change it.

import { QueueDocument, type QueueQuery } from '#graph';

import { clock } from '../../shared/clock.svelte';
import { GraphError, request } from '../../shared/graph/request';
import type { Desk } from '../state/desk.svelte';
import { readScreens, type WaitingScreen } from './screens';
import { stacksOf, type Stack } from './stacks';

/** Milliseconds between the ends of two readings, however many events there are. */
const REST = 400;
const RETRY = 3_000;
const SCREENS = 10_000;
const WORK = /^(ASSISTANCE|DUTY_REPORT|INSPECTION|HAZARD|CASE|DISPATCH|WARNING|REGISTER)_/;

export class Queue {
  value = $state.raw<QueueQuery | null>(null);
  readAt = $state(0);
  startedAt = Date.now();
  failed = $state.raw<GraphError | null>(null);
  screens = $state.raw<WaitingScreen[]>([]);
  readonly stacks: Stack[] = $derived(this.value === null ? [] : stacksOf(this.value, this.screens, clock.now));
  readonly total: number = $derived(this.stacks.reduce((sum, { count }) => sum + count, 0));

  #closed = false;
  #reading = false;
  #again = false;
  #timers: ReturnType<typeof setTimeout>[] = [];
  #stop: () => void;

  constructor(desk: Desk) {
    this.#stop = desk.onevents((events) => {
      if (events.length === 0 || events.some(({ kind }) => WORK.test(kind))) void this.read();
    });
    void this.read();
    void this.#readScreens();
  }

  close(): void {
    this.#closed = true;
    this.#stop();
    this.#timers.forEach(clearTimeout);
  }

  /** Read now, or once more after the reading that goes on. */
  async read(): Promise<void> {
    if (this.#reading) return void (this.#again = true);
    this.#reading = true;
    this.#again = false;
    let rest = REST;
    try {
      this.value = await request(QueueDocument, {}, null);
      this.readAt = Date.now();
      this.failed = null;
    } catch (error) {
      if (!(error instanceof GraphError)) throw error;
      this.failed = error;
      this.#again = true;
      rest = RETRY;
    }
    this.#timers[0] = setTimeout(() => {
      this.#reading = false;
      if (this.#again && !this.#closed) void this.read();
    }, rest);
  }

  async #readScreens(): Promise<void> {
    try {
      this.screens = await readScreens();
    } catch {
      // The top bar says that the server is silent; the next round asks again.
    }
    if (!this.#closed) this.#timers[1] = setTimeout(() => void this.#readScreens(), SCREENS);
  }
}
