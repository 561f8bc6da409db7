// A commander at the wall. For ten minutes this screen shows what the commander may see, by a token that only this
// object holds: a reload, the end of the time and the server each end it, and nothing is written to the browser.

import { auth, AuthError, isRestricted } from '../../shared/auth';
import { clock } from '../../shared/clock.svelte';

export const VISIT_MINUTES = 10;
const MINUTE = 60_000;
/** Milliseconds by which this screen ends the visit before the server does, so that no request is refused. */
const EARLIER = 2_000;
/** Milliseconds between two attempts to end a login. */
const RETRY = 3_000;

type Visit = { id: number; token: string; name: string; until: number };

export class CommanderVisit {
  #visit = $state.raw<Visit | null>(null);
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Null also after a sleep of the machine that was longer than the visit. */
  get #current(): Visit | null {
    return this.#visit && clock.now < this.#visit.until ? this.#visit : null;
  }

  get token(): string | null {
    return this.#current?.token ?? null;
  }

  get name(): string | null {
    return this.#current?.name ?? null;
  }

  get minutesLeft(): number {
    return Math.ceil(((this.#current?.until ?? clock.now) - clock.now) / MINUTE);
  }

  /** Sign in. The login ends at once: what is left of it is a token for the visit. Throws AuthError. */
  async begin(name: string, password: string, code?: string): Promise<void> {
    const { viewer } = await auth.signIn(name, password, code);
    let visit: Visit | null = null;
    try {
      if (!viewer || viewer.role !== 'COMMANDER' || isRestricted(viewer)) throw new AuthError('FORBIDDEN', 'not a commander');
      const began = Date.now();
      const title = `${viewer.name} ${new Date(began).toISOString().slice(0, 19)}`;
      const { id, token } = await auth.issueToken(viewer.name, title, `${VISIT_MINUTES}m`);
      visit = { id, token, name: viewer.fullName, until: began + VISIT_MINUTES * MINUTE - EARLIER };
    } finally {
      await this.#signOut(visit);
    }
    this.#visit = visit;
    this.#timer = setTimeout(() => (this.#visit = null), visit.until - Date.now());
  }

  /** End a login that an earlier visit could not end, before the screen was switched off. */
  async endLogin(): Promise<void> {
    try {
      if ((await auth.session()).viewer !== null) await auth.signOut();
    } catch {
      setTimeout(() => void this.endLogin(), RETRY);
    }
  }

  /** A wall is in everybody's reach: where the server does not answer, the login is ended as soon as it does, without a visit. */
  async #signOut(visit: Visit | null): Promise<void> {
    try {
      await auth.signOut();
    } catch (error) {
      setTimeout(() => void this.endLogin(), RETRY);
      if (visit) revoke(visit);
      throw error;
    }
  }

  /** End the visit before its time. */
  end(): void {
    const visit = this.#visit;
    clearTimeout(this.#timer);
    this.#visit = null;
    if (visit) revoke(visit);
  }
}

/** Revokes a visit's token. If the server does not answer, the token ends by itself. */
function revoke({ id, token }: Visit): void {
  void auth.revokeToken(id, token).catch(() => {});
}
