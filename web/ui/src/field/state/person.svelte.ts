// The person who uses this phone, whether the server answers, and how far this phone's clock is from the server's.

import { auth, AuthError, isRestricted, type SignedIn } from '../../shared/auth';
import { clock } from '../../shared/clock.svelte';
import { LiveClient } from '../../shared/live/client.svelte';
import { forgetCopies } from '../store/copies';
import { settings } from '../store/database';

/** Time between two looks at the session while all is well. */
const INTERVAL = 60_000;
const HEARD = 'huhang:field-heard';
/** A clock difference from which the page says so. */
const CLOCK_LIMIT = 60_000;

export type Who = Pick<SignedIn, 'account' | 'fullName' | 'role'>;

export class PersonState {
  /** The person who signed in here last; null before anybody did, and after signing out. */
  who = $state.raw<Who | null>(null);
  /** True if the server has said who is signed in since the page was opened. */
  known = $state(false);
  /** The server said that nobody is signed in. */
  signedOut = $state(false);
  /** Milliseconds by which this phone's clock is ahead of the server's; null if never measured. */
  ahead = $state<number | null>(null);
  notice = $state.raw<{ zh: string; en: string } | null>(null);
  online = $state(navigator.onLine);
  live = $state.raw<LiveClient | null>(null);

  /** Called when the server, the network or the page is back, and when somebody else is signed in. */
  onchange: () => void = () => {};

  #heardBefore = Number(localStorage.getItem(HEARD) ?? 0);
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** The server answers. */
  get connected(): boolean {
    return this.online && this.live !== null && this.live.connected && !this.live.silent;
  }

  /** Neither an answer nor a reason to give up yet: the page was just opened, or the network is just back. */
  get connecting(): boolean {
    return this.online && !this.connected && this.live !== null && !this.live.silent;
  }

  /** When the server was last heard, by this phone's clock; 0 if never. */
  get heardAt(): number {
    return this.live?.connected ? this.live.heardAt : this.#heardBefore;
  }

  /** The server's time as far as it is known. */
  get time(): number {
    return clock.now - (this.ahead ?? 0);
  }

  get clockIsOff(): boolean {
    return Math.abs(this.ahead ?? 0) > CLOCK_LIMIT;
  }

  async start(): Promise<void> {
    const [who, ahead] = await Promise.all([settings.get<Who | null>('who'), settings.get<number | null>('ahead')]);
    this.who = who ?? null;
    this.ahead = ahead ?? null;
    this.onchange();
    this.live = new LiveClient(() => null, () => void this.ask());
    this.live.onreconnected = () => void this.ask(true);
    addEventListener('online', () => this.#network(true));
    addEventListener('offline', () => this.#network(false));
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') void this.ask(true);
    });
    setInterval(() => this.#remember(), 5_000);
    await this.ask();
  }

  /** Ask the server who is signed in. `back`: what it said before may be old. */
  async ask(back = false): Promise<void> {
    clearTimeout(this.#timer);
    const sent = Date.now();
    try {
      const session = await auth.session();
      const received = Date.now();
      this.ahead = Math.round((sent + received) / 2 - Date.parse(session.serverTime));
      this.notice = session.notice;
      void settings.set('ahead', this.ahead);
      await this.#take(session.viewer, back);
    } catch (error) {
      // Silence, or a refusal, such as of a server that has enough for now: the next question may be answered.
      if (!(error instanceof AuthError)) throw error;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.ask(), INTERVAL);
  }

  /** Forget the person, who has signed out, and what the server said to them. */
  async forget(): Promise<void> {
    await settings.set('who', null);
    await forgetCopies(null);
  }

  async #take(viewer: SignedIn | null, back: boolean): Promise<void> {
    if (viewer && isRestricted(viewer)) return location.replace('/signin/?next=/field/');
    const other = viewer !== null && viewer.account !== this.who?.account;
    const changed = other || !this.known || this.signedOut !== (viewer === null);
    if (other) {
      await forgetCopies(viewer.account);
      this.who = { account: viewer.account, fullName: viewer.fullName, role: viewer.role };
    }
    this.signedOut = viewer === null;
    this.known = true;
    if (changed) await settings.set('who', viewer ? this.who : null);
    if (changed || back) this.onchange();
  }

  #network(online: boolean): void {
    if (!online) this.#remember();
    this.online = online;
    if (online) void this.ask(true);
  }

  #remember(): void {
    if (!this.live?.connected) return;
    this.#heardBefore = this.live.heardAt;
    localStorage.setItem(HEARD, String(this.#heardBefore));
  }
}
