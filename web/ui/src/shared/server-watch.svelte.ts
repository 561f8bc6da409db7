// Whether the server answers, who is signed in, and how far this machine's clock is from the server's.

import { auth, AuthError, SILENT, type SessionState } from './auth';
import { clock } from './clock.svelte';
import { isSilent } from './silence';

const INTERVAL = 3_000;
const RETRY = 1_500;
const PATIENCE = 4_000;

/** Milliseconds of clock difference from which one-time codes fail. */
export const CLOCK_LIMIT = 30_000;

export class ServerWatch {
  /** The last answer; null before the first one. */
  session = $state.raw<SessionState | null>(null);

  /** This machine's time minus the server's, in milliseconds. */
  skew = $state<number | null>(null);

  /** This machine's time at the last answer, and before the first one the time when the watch began. */
  answeredAt = $state(Date.now());

  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  /** Milliseconds since the last answer. */
  get age(): number {
    return Math.max(0, clock.now - this.answeredAt);
  }

  get silent(): boolean {
    return isSilent(this.age);
  }

  /** The server's time as far as it is known, for clocks and one-time codes. */
  get time(): number {
    return clock.now - (this.skew ?? 0);
  }

  /** Ask now and then every three seconds, more often while there is no answer. Stops while the page is hidden. */
  start(): void {
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') void this.ask();
      else clearTimeout(this.#timer);
    });
    void this.ask();
  }

  /** Ask no more, and take no answer any more. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async ask(): Promise<void> {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    const sent = Date.now();
    let next = INTERVAL;
    try {
      this.#take(await auth.session(PATIENCE), sent);
    } catch (error) {
      next = RETRY;
      if (error instanceof AuthError && error.code !== SILENT) {
        // A refusal is an answer, too: of a server that has enough of this address for now.
        this.answeredAt = Date.now();
        next = INTERVAL;
      }
    }
    clearTimeout(this.#timer);
    if (!this.#stopped && document.visibilityState === 'visible') this.#timer = setTimeout(() => void this.ask(), next);
  }

  #take(session: SessionState, sent: number): void {
    if (this.#stopped) return;
    const received = Date.now();
    this.session = session;
    this.answeredAt = received;
    this.skew = (sent + received) / 2 - Date.parse(session.serverTime);
  }
}
