// Shows one zone after the other. An alarm or any input stops it, and it goes on after a minute without either.

import { clock } from '../../shared/clock.svelte';

/** Milliseconds for each zone. */
export const EACH = 30_000;
const PAUSE = 60_000;

export class Rotation {
  #on = $state(new URLSearchParams(location.search).has('rotate') || localStorage.getItem('huhang:wall:rotate') === 'on');
  #pausedUntil = $state(0);
  #began = $state(Date.now());

  constructor(
    readonly zones: () => { id: string }[],
    readonly stopped: () => boolean,
  ) {}

  get #running(): boolean {
    return this.#on && this.zones().length > 0 && clock.now >= this.#pausedUntil && !this.stopped();
  }

  /** The zone that is shown now; null while the rotation rests. */
  get zone(): string | null {
    if (!this.#running) return null;
    const zones = this.zones();
    return zones[Math.floor(Math.max(0, clock.now - this.#began) / EACH) % zones.length]!.id;
  }

  get secondsLeft(): number {
    return Math.ceil((EACH - (Math.max(0, clock.now - this.#began) % EACH)) / 1000);
  }

  toggle(): void {
    this.#on = !this.#on;
    this.#pausedUntil = 0;
    this.#began = Date.now();
    localStorage.setItem('huhang:wall:rotate', this.#on ? 'on' : 'off');
  }

  pause(): void {
    this.#pausedUntil = Date.now() + PAUSE;
  }
}
