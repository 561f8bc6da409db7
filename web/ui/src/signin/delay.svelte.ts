// The time until the server looks at the next attempt.

import { AuthError } from '../shared/auth';
import { clock } from '../shared/clock.svelte';
import { duration } from '../shared/format';
import * as m from '#messages';

export class Delay {
  #until = $state(0);
  #seconds = 0;

  /** Words for the button while it waits, with the seconds that are left. */
  get text(): string | undefined {
    const left = this.#until - clock.now;
    // The clock moves each second only, so what is left may seem longer than it was at first.
    return left > 0 ? m.delay({ duration: duration(Math.min(Math.ceil(left / 1000), this.#seconds) * 1000) }) : undefined;
  }

  /** Wait if the server's refusal asks for it. */
  begin(error: unknown): void {
    const seconds = error instanceof AuthError ? error.retryAfter : null;
    if (seconds === null || seconds <= 0) return;
    this.#seconds = Math.ceil(seconds);
    this.#until = Date.now() + seconds * 1000;
  }
}
